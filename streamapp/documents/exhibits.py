"""What a page shows and does not say: code, and tables of data. They hold no sentences.

Preformatted text is code where it says so, since poems and whole books are preformatted too; and a table is one of data
where it has a caption or cells that head others, since old pages and books lay out their text in tables without. See
the HTML Standard, 4.4.3, 4.5.15 and 4.9.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["exhibit_depth"]

SAYS_CODE: Final = re.compile(
    r"\b(?:program-?listing|source-?code|highlight|language-\w+|code|screen)\b", re.IGNORECASE
)
OF_DATA: Final = frozenset(("caption", "thead", "th"))


def exhibit_depth(name: str, attributes: Mapping[str, str], around: Sequence[str]) -> int | None:
    """How deep the code or table of data lies that this start tag tells of, from 1; None where it tells of none.

    `around` are the names of those that it is in.
    """
    if name == "code" and around[-1:] == ["pre"]:
        return len(around) + 1
    if name == "pre" and SAYS_CODE.search(" ".join((attributes.get("class", ""), attributes.get("data-type", "")))):
        return len(around) + 1
    if name in OF_DATA and "table" in around:
        return len(around) - list(reversed(around)).index("table")
    return None
