"""What a document may cost while it is decoded: whoever sends one may mean harm, or have made a mistake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamapp.errors import BadDocument

__all__ = ["MIB", "Budget", "Limits"]

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one document. The two whole books of the tests need a tenth of any of them and less."""

    seconds: float = 120.0
    """Of processor time. By the clock it may be twice as long, since others compute too."""
    memory: int = 1024 * MIB
    """Bytes of address space of the process that decodes."""
    expanded: int = 256 * MIB
    """Bytes that an archive's parts, or a PDF's streams, expand to."""
    text: int = 32 * MIB
    """Bytes of text that come out."""
    entries: int = 10_000
    """Files in an archive."""
    pages: int = 10_000
    """Pages of a PDF."""
    depth: int = 1_000
    """Elements within each other."""

    @property
    def clock_s(self) -> float:
        """Seconds by the clock."""
        return 2 * self.seconds


class Budget:
    """Counts bytes up to a limit."""

    def __init__(self, limit: int, refusal: str) -> None:
        self._limit = self._left = limit
        self._refusal = refusal

    def spend(self, size: int) -> None:
        """Raises `BadDocument` when more than the limit has been spent, with it in words."""
        self._left -= size
        if self._left < 0:
            raise BadDocument(f"{self._refusal} more than {self._limit / MIB:g} MiB.")
