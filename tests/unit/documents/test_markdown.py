"""Markdown is read as what it shows: its marks are in no sentence, no chapter's name and no job's name."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.book import Book, load_book
from streamapp.documents import kinds
from streamapp.documents.apart import DecodedDocument, decoded
from streamapp.documents.limits import MIB, Limits
from streamapp.documents.markdown import first_words_of, html_of, title_in
from streamapp.documents.markdownpage import read_markdown
from streamapp.errors import BadDocument

LIMITS = Limits(seconds=300, memory=512 * MIB)
PROSE = "It rained in the morning, and nobody came."
HEADER = '---\ntitle: "The Road"\ntags:\n- a\n\n# a comment\nauthor: {first: A}\n---\n'


def book(text: str) -> Book:
    """In this process."""
    return read_markdown(io.BytesIO(text.encode()), Limits())


def paragraphs(text: str) -> list[str]:
    """Of all chapters."""
    return [each for chapter in book(text).chapters for each in chapter.paragraphs]


def reason(text: str, limits: Limits = LIMITS) -> str:
    """What the sender hears of it from the process apart."""
    with pytest.raises(BadDocument) as bad:
        decoded(DecodedDocument(text.encode(), kinds.MARKDOWN), limits)
    return str(bad.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*a* **b** __c__ `d` ~~e~~ ~f~", ["a b c d e f"]),
        ("[a](http://x/y \"t\") [b][r] [c] <http://d>\n\n[r]: http://x\n[c]: y", ["a b c http://d"]),
        ("one\ntwo  \nthree\\\nfour", ["one two three four"]),
        ("- a\n- b\n  1. c\n* [ ] d\n* [x] e", ["a", "b", "c", "d", "e"]),
        ("> a\n> > b\n\n> [!NOTE]\n> c", ["a", "b", "Note", "c"]),
        ("a ![picture](p.png) b\n\n***\n\nc", ["a b", "c"]),
        (r"\# a \*b\* 1\. &amp; &lt;i&gt; &copy;", ["# a *b* 1. & <i> ©"]),
        ("a\n\n<script>\nno()\n</script>\n\n<div hidden>no</div>\n\nb <style>no</style><b>c</b><!-- no -->",
         ["a", "b c"]),
        ("\ufeffa\r\nb\r\n\r\n- c\r\n", ["a b", "c"]),
        ("#hashtag, and 5 * 3 * 2 < 31 _is_ no", ["#hashtag, and 5 * 3 * 2 < 31 is no"]),
    ],
)  # fmt: skip
def test_what_is_shown(text: str, expected: list[str]) -> None:
    """As a reader sees it: without marks, pictures, scripts and what is hidden."""
    assert paragraphs(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A word.\n\n```python title=x\nb = 1\n```\n\n    c = 2\n\nThe end.", ["A word.", "The end."]),
        ("A word.\n\n| a | b |\n|---|--:|\n| c | *d* |\n\nThe end.", ["A word.", "The end."]),
        ("- A word.\n\n  ~~~\n  b\n  ~~~\n\n  | a |\n  |---|\n- The end.", ["A word.", "The end."]),
        # nothing else is there
        ("# A\n\n```\nb = 1\n```", ["b = 1"]),
        ("| a | b |\n|---|--:|\n| c | *d* |", ["a", "b", "c", "d"]),
        # a book whose paragraphs are indented
        ("# A\n\nOne.\n\n    It rained.\n\n    It rained on.\n\n```\nb\n```", ["One.", "It rained.", "It rained on."]),
    ],
)
def test_code_and_tables_are_no_prose(text: str, expected: list[str]) -> None:
    """They are left out, unless they are all that there is."""
    assert paragraphs(text) == expected


def test_headings_are_chapters() -> None:
    """Both ways of writing them, without the marks in them; the one at the top is the title."""
    found = book(
        f"# The *Road* #\n\n## 1. [Rain](x.md)\n\n{PROSE}\n\n`Post` & co\n---\n\n{PROSE}\n\n### More\n\n{PROSE}\n"
    )
    assert found.title == "The Road"
    assert [(each.heading, each.paragraphs) for each in found.chapters] == [
        ("1. Rain", [PROSE]),
        ("Post & co", [PROSE, PROSE]),
    ]


def test_a_header_is_no_text() -> None:
    """Its title is the book's, also with a heading at the top, and with lines that end as on Windows."""
    for text in (HEADER, HEADER.replace("\n", "\r\n")):
        assert title_in(text + PROSE) == "The Road"
        assert paragraphs(text + PROSE) == [PROSE]
        assert book(f"{text}# Rain\n\n{PROSE}").title == "The Road"


@pytest.mark.parametrize("text", [f"---\n{PROSE}\n---\n", f"---\n\n{PROSE}\n\n---\n", f"---\nkey: value\n{PROSE}"])
def test_a_rule_is_no_header(text: str) -> None:
    """What stands between two of them, or after one, is kept."""
    assert title_in(text) == ""
    assert PROSE in html_of(text)


def test_what_is_deep_is_read_or_refused() -> None:
    """The parser leaves out what is deeper than it goes, and nobody would know."""
    for mark, most in (("> ", 97), ("- ", 48)):
        assert paragraphs(mark * most + PROSE) == [PROSE]
        for depth in (most + 1, most + 2, most + 3, most + 4, 200, 100_000):
            with pytest.raises(BadDocument, match="lists or quotations within each other"):
                html_of(mark * depth + PROSE)
    assert "lists or quotations within each other" in reason(">" * 100_000 + PROSE)
    assert "within each other" in reason("<div>" * 100_000 + PROSE)


@pytest.mark.parametrize(
    "unit", ["[", "![", "[a](", "*a_", "`", "<", "<!--", "a <![CDATA[", "&", "\\", "|", "~", "$[^"]
)
def test_marks_that_never_close(unit: str) -> None:
    """On one huge line: they are text."""
    text = "".join(paragraphs(PROSE + "\n\n" + "a" + unit * 20_000))
    assert text.startswith(PROSE)


def test_what_takes_long_is_ended() -> None:
    """By the bound on time, which is the process's own: each beginning here is looked for to the end of the line."""
    assert " took more than " in reason("a <![CDATA[" * 200_000, Limits(seconds=1))


def test_a_header_that_never_ends() -> None:
    """Is looked at once, and not in each of the ways in which its lines could be read."""
    assert title_in("---\na: b\n" + "-a:\n" * 20_000) == ""
    assert title_in("---\na: b\n" + "\r\n \n" * 20_000) == ""


def test_nothing_but_marks() -> None:
    """There is no text in it."""
    for text in ("# \n\n- \n\n---", "![a](b.png)", "<script>\na\n</script>"):
        assert "no text in this Markdown" in reason(text)


def test_the_process_reads_it() -> None:
    """Apart, as any file."""
    found = decoded(DecodedDocument(f"# A\n\n{PROSE}\n\n# B\n\n{PROSE}".encode(), kinds.MARKDOWN), LIMITS)
    assert [each.heading for each in load_book(found.content.decode()).chapters] == ["A", "B"]


MARKS = st.lists(
    st.sampled_from([*"#*_`~[]()!<>-+|\\&:=\"' \t\n\r1.a\x00é", "---\n", "[x]: ", "<b>", "<!--", "```", "> "]),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(MARKS.map("".join))
def test_any_text_is_markdown(text: str) -> None:
    """No order of marks makes its parser raise, at the door or apart."""
    assert isinstance(html_of(text), str)
    assert isinstance(first_words_of(text) + title_in(text), str)
