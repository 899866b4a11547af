"""Text from strangers, cleaned."""

from __future__ import annotations

import pytest

from streamapp.delivery.clean import clean_line, clean_text, file_name, wrap


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("tab\tstays, \x00\x07\x1b go", "tab\tstays,  go"),
        ("lone \ud800 surrogate", "lone ��� surrogate"),
        ("é 🎉 ليلة", "é 🎉 ليلة"),
    ],
)
def test_clean_text(given: str, expected: str) -> None:
    """Lines end in LF, control characters go, and what has no UTF-8 is replaced."""
    assert expected == clean_text(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a\r\nBcc: b", "a Bcc: b"),
        ("  a \u2028 b\x85c  ", "a b c"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("x" * 12, "x" * 9 + "…"),
    ],
)
def test_clean_line(given: str, expected: str) -> None:
    """One line, short, in the order it was written."""
    assert expected == clean_line(given, 10 if given == "x" * 12 else 200)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("../../etc/passwd", "etc-passwd"),
        (r"C:\con\a.txt", "C-con-a.txt"),
        (".bashrc", "bashrc"),
        ("y" * 200 + ".csv", "y" * 96 + ".csv"),
        (" . ", "file"),
    ],
)
def test_file_name(given: str, expected: str) -> None:
    """No folder, no hidden file, no endless name; the ending stays."""
    assert expected == file_name(given, "file")


def test_wrap_keeps_what_fits() -> None:
    """Short lines and blank ones stay as they are; only trailing blanks go, but for the signature's mark."""
    assert wrap("a \n\n  b\n-- \nc") == "a\n\n  b\n-- \nc"
