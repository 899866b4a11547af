"""Writes the table of settings into README.md, from streamapp/settings.py: the fields' own words are the documentation.

Usage: python tools/settings_table.py [--check]

With ``--check`` nothing is written, and the exit code is 1 when the table is not up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from streamapp.settings import Settings

__all__ = ["main", "replaced", "table"]

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- settings: written by tools/settings_table.py -->", "<!-- /settings -->"
LIMITS = (
    ("minimum", "at least {:g}"),
    ("exclusiveMinimum", "more than {:g}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
)


def table() -> str:
    """The table, a line for each field in the order of the file."""
    prefix = str(Settings.model_config["env_prefix"])
    schema = Settings.model_json_schema()["properties"]
    lines = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        words = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{prefix}{name.upper()}` | {_default(field.default)} | {words}{_limits(schema[name])} |")
    return "\n".join(lines)


def replaced(text: str) -> str:
    """The README's text with the table of now. Raises ValueError where it lacks the markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        return f"`{json.dumps(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    if isinstance(value, Path):
        return f"`./{value}`"
    return f"`{value}`" if value != "" else "empty"


def _limits(schema: dict[str, Any]) -> str:
    said = [words.format(schema[key]) for key, words in LIMITS if key in schema]
    return f" ({', '.join(said)})" if said else ""


def main(arguments: list[str]) -> int:
    """Write the table, or check it."""
    old = README.read_text(encoding="utf-8")
    new = replaced(old)
    if "--check" in arguments:
        if new != old:
            print("README.md: the table of settings is not up to date; run python tools/settings_table.py")
        return int(new != old)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
