"""The size of a picture, from its beginning alone."""

from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure

from streamapp.ui.picture import HEAD, size_of


def test_a_real_picture() -> None:
    """What matplotlib was asked for, also of a height that is no width; and the first bytes are enough."""
    file = io.BytesIO()
    Figure(figsize=(7, 3)).savefig(file, dpi=100)
    assert size_of(file.getvalue()) == size_of(file.getvalue()[:HEAD]) == (700, 300)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 8,
        b"GIF89a" + b"\1" * 64,
    ],
)
def test_what_is_no_picture(head: bytes) -> None:
    """It has no size, and the page shows it as well as it can."""
    assert size_of(head) is None
