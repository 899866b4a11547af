"""A task's parameters as the commands take them: `--param NAME=VALUE`."""

from __future__ import annotations

import json

import click

__all__ = ["params_of"]


def params_of(pairs: tuple[str, ...]) -> dict[str, object]:
    """The parameters; a value that is no JSON is text. Raises `click.BadParameter`."""
    params: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} must look like NAME=VALUE", param_hint="--param")
        try:
            params[name] = json.loads(value)
        except ValueError:
            params[name] = value
    return params
