"""The types that a task's author names in brackets, `Predictor[Item, Ready, Out]`: asked for, and known at run time."""

from __future__ import annotations

from typing import Any, TypeVar, get_args, get_origin

__all__ = ["Typed", "type_argument"]


class Typed:
    """Says which types are to be named, to whoever names too many or too few. Beside `Generic`, and before it."""

    @classmethod
    def __class_getitem__(cls, types: Any) -> Any:
        try:
            return super().__class_getitem__(types)  # type: ignore[misc]  # that of Generic
        except TypeError as error:
            raise TypeError(f"{error}; name them all: {_in_full(cls)}.") from error


def type_argument(cls: type, base: type, position: int) -> Any:
    """The type that `cls` gave for a parameter of `base`: how Item, Value and Out are known at run time.

    Raises TypeError when the class does not say, with the line to write.
    """
    for ancestor in cls.__mro__:
        for generic in getattr(ancestor, "__orig_bases__", ()):
            if get_origin(generic) is base:
                argument = get_args(generic)[position]
                if not isinstance(argument, TypeVar):
                    return argument
    raise TypeError(f"{cls.__qualname__} must name its types: class {cls.__name__}({_in_full(base)}).")


def _in_full(base: Any) -> str:
    names = [each.__name__ for each in base.__parameters__]
    return f"{base.__name__}[{', '.join('Params' if name == 'ParamsT' else name for name in names)}]"
