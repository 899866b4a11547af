"""The code in a page of the documentation, so that it can be run."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["files_of"]


def files_of(page: Path) -> dict[str, str]:
    """The page's blocks of Python by the name of the file, with which each block's docstring begins."""
    blocks = re.findall(r"```python\n(.+?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    named = ((re.match(r'"""(\w+\.py)', block), block) for block in blocks)
    return {name[1]: block for name, block in named if name}
