"""What a document is, by what is said of it and by its bytes."""

from __future__ import annotations

import random

import pytest

from streamapp.book import BOOK_FILES, Book, Chapter
from streamapp.documents import kinds
from streamapp.documents.accept import UnknownType, WrongType, accepted, accepted_text
from streamapp.documents.charset import decode_text, decoded_markup, seems_text
from streamapp.documents.kinds import guess_type, sniff
from streamapp.errors import BadDocument
from tests.unit.documents import make

BOOK = Book("The Road", [Chapter("Rain", ["It rained."]), Chapter("Post", ["It came."])])
PDF, EPUB, DOCX, HTML = make.pdf(BOOK), make.epub(BOOK), make.docx(BOOK), make.html(BOOK)
TEXT = "Où étais-tu passé ? — À l’école.".encode()
ALL = ("text/plain", "text/markdown", *BOOK_FILES)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)
EXCEL = make.zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""})


def take(content: bytes, declared: str | None, accepts: tuple[str, ...] = ALL) -> str:
    """The type that is settled."""
    taken, media_type = accepted(content, declared, accepts, task="read")
    assert taken == content
    return media_type


@pytest.mark.parametrize("declared", [None, "application/octet-stream", "binary/octet-stream; x=y"])
@pytest.mark.parametrize(
    ("content", "media_type"), [(PDF, kinds.PDF), (EPUB, kinds.EPUB), (DOCX, kinds.DOCX), (HTML, kinds.HTML)]
)
def test_bytes_tell_where_nobody_does(content: bytes, media_type: str, declared: str | None) -> None:
    """Also an EPUB whose first part is not the one that should be, and junk before a PDF."""
    assert take(content, declared) == media_type
    parts = make.epub_parts(BOOK)
    del parts["mimetype"]
    assert take(make.zipped(parts), declared) == kinds.EPUB
    assert take(b"junk\n" + PDF, declared) == kinds.PDF


@pytest.mark.parametrize("content", [EPUB, DOCX])
def test_any_archive_is_looked_into(content: bytes) -> None:
    """Browsers call both a zip file; a task that takes zip files gets them as that."""
    assert take(content, "application/zip") in (kinds.EPUB, kinds.DOCX)
    assert take(content, "application/zip", ("application/zip",)) == "application/zip"


@pytest.mark.parametrize(
    ("content", "declared", "says"),
    [
        (PDF, kinds.EPUB, "said to be EPUB, and looks like PDF"),
        (EPUB, kinds.DOCX, "said to be DOCX, and looks like EPUB"),
        (DOCX, kinds.PDF, "said to be PDF, and looks like DOCX"),
        (HTML, kinds.PDF, "said to be PDF, and looks like HTML"),
        (TEXT, kinds.PDF, "said to be PDF, and does not look like it"),
        (PDF, kinds.TEXT, "said to be plain text, and looks like PDF"),
        (EPUB, kinds.HTML, "said to be HTML, and looks like EPUB"),
        (OLE, kinds.DOCX, "an old Office file .* password"),
        (EXCEL, kinds.DOCX, "an Excel file"),
        (make.zipped({"a": ""}), kinds.EPUB, "a zip archive"),
        (EPUB[: len(EPUB) // 2], kinds.EPUB, "damaged"),
        (DOCX[: len(DOCX) // 2], kinds.DOCX, "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), kinds.TEXT, "a PNG picture"),
        (bytes(60) + b"BOOKMOBI", kinds.EPUB, "a Kindle book"),
        (b"{\\rtf1 It rained.}", kinds.TEXT, "RTF"),
        (b"", kinds.PDF, "empty"),
        (b"", kinds.EPUB, "empty"),
    ],
)
def test_what_contradicts_its_type(content: bytes, declared: str, says: str) -> None:
    """The words say what it looks like."""
    with pytest.raises(BadDocument, match=says) as bad:
        accepted(content, declared, ALL, task="read")
    assert not isinstance(bad.value, WrongType)


def test_what_shows_in_a_directory() -> None:
    """A password, and what would expand to too much."""
    locked = bytearray(EPUB)
    at = locked.rfind(b"PK\x01\x02")
    locked[at + 8] |= 1
    with pytest.raises(BadDocument, match="without a password"):
        accepted(bytes(locked), kinds.EPUB, ALL, task="read")
    bomb = make.zipped({**make.epub_parts(BOOK), **{f"{n}.xhtml": bytes(30 * 1024 * 1024) for n in range(9)}})
    with pytest.raises(BadDocument, match="expands to more than 256 MiB"):
        accepted(bomb, None, ALL, task="read")


@pytest.mark.parametrize("declared", [None, kinds.PDF])
def test_a_pdf_that_is_a_first_line_alone(declared: str | None) -> None:
    """Refused while it is small; a real one that is cut off behind its first object, or its mere end, is not."""
    for content in (b"%PDF-1.7", b"%PDF-1.4\n" + bytes(range(256)) * 40):
        with pytest.raises(BadDocument, match="PDF is damaged"):
            accepted(content, declared, ALL, task="read")
    first = PDF.index(b"obj") + 3
    for content in (PDF[:first], PDF[: len(PDF) // 2], b"%PDF-1.4\n" + PDF[-20:]):
        assert take(content, declared) == kinds.PDF
    large = b"%PDF-1.7" + bytes(2 * 1024 * 1024)
    assert take(large, declared) == kinds.PDF


@pytest.mark.parametrize(
    ("content", "declared", "says"),
    [
        (PDF, None, "takes text/plain, not PDF"),
        (PDF, "application/octet-stream", "not PDF"),
        (PDF, "application/pdf", "not application/pdf"),
        (OLE, None, "an old Office file"),
        (b"\0\1", "application/octet-stream", "look like none of these: name its type"),
    ],
)
def test_what_the_task_does_not_take(content: bytes, declared: str | None, says: str) -> None:
    """Said with what it looks like, where nobody says more."""
    with pytest.raises(WrongType, match=says):
        accepted(content, declared, ("text/plain",), task="read")


def test_what_nobody_knows() -> None:
    """A document without a type that looks like nothing."""
    with pytest.raises(UnknownType, match="Say what"):
        accepted(TEXT, None, ALL, task="read")


def test_types_that_are_not_known_here_are_believed() -> None:
    """A task may take what it likes."""
    assert take(b"\0\1", "image/x-raw", ("image/x-raw",)) == "image/x-raw"
    assert take(PDF, "application/illustrator", ("application/illustrator",)) == "application/illustrator"


def test_text_is_text_whatever_it_looks_like() -> None:
    """What came as characters in JSON is not looked at, but can be no file."""
    for text in (b"%PDF-1.7 is how one begins.", b"<html>", b"{\\rtf"):
        assert accepted_text(text, "text/plain", ALL, task="read") == (text, "text/plain")
    page = b"<meta charset=utf-16><p>\xc3\xa9"
    assert accepted_text(page, "text/html", ALL, task="read") == (page, "text/html")
    with pytest.raises(BadDocument, match="no PDF"):
        accepted_text(b"a", "application/pdf", ALL, task="read")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.epub", kinds.EPUB),
        ("a.B.DOCX", kinds.DOCX),
        ("a.pdf", kinds.PDF),
        ("a.htm", kinds.HTML),
        ("a.xhtml", kinds.XHTML),
        ("a.md", kinds.MARKDOWN),
        ("a.png", "image/png"),
        ("a.txt.gz", None),
        ("a", None),
        ("", None),
    ],
)
def test_names_of_files(name: str, media_type: str | None) -> None:
    """Whatever this machine's own table says."""
    assert guess_type(name) == media_type


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" * 500, b"<", b"<!--" * 400, b"\xff" * 2000, TEXT],
)
def test_any_bytes_can_be_looked_at(content: bytes) -> None:
    """Nothing is raised."""
    looks = sniff(content)
    assert looks is None or looks.words


SAMPLES = {
    "cp1252": "Où étais-tu passé ? — J’étais à l’école, répondit-elle, gênée. Ça ne fait rien.",
    "iso8859_2": "Zażółć gęślą jaźń. Byl pozdní večer, první máj, večerní máj, byl lásky čas.",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy. Byl pozdní večer, první máj, večerní máj.",
    "cp1251": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "koi8_r": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "cp1253": "Μια φορά κι έναν καιρό ήταν ένας βασιλιάς που είχε τρεις κόρες.",
    "cp1255": "בראשית ברא אלהים את השמים ואת הארץ והארץ היתה תהו ובהו",
    "cp932": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "euc_jp": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "gb18030": "今天天气很好。我们去公园吧！他说，他不想去，因为太远了。",
    "big5": "今天天氣很好。我們去公園吧！他說，他不想去，因為太遠了。",
    "cp949": "옛날 옛적에 호랑이가 살았습니다. 그는 산에서 내려와 마을로 갔습니다.",
    "utf-32": "It rained.",
}


@pytest.mark.parametrize("charset", SAMPLES)
def test_a_charset_that_nobody_names(charset: str) -> None:
    """Found from a page of text, however much of it is ASCII, and all of it read in that."""
    text = "It rained all day. " * 2000 + f"\n{SAMPLES[charset]}\n" * 20 + "The end.\n"
    assert decode_text(text.encode(charset), None) == text


@pytest.mark.parametrize("charset", SAMPLES)
def test_bytes_that_seem_to_be_text(charset: str) -> None:
    """I expect a text in any of these to be seen for one by its beginning, and the same bytes with a NUL not."""
    head = f"{SAMPLES[charset]}\n".encode(charset) * 20
    assert seems_text(head[:400])
    assert seems_text(head[:400] + b"\0") == (charset == "utf-32")


def test_bytes_that_are_no_text() -> None:
    """I expect neither what no text holds, nor too little to tell, to be taken for one; ASCII is."""
    numbers = random.Random(1)
    assert not any(seems_text(numbers.randbytes(size)) for size in (64, 400, 4096) for _ in range(50))
    assert not seems_text(b"\xe9")
    assert seems_text(b"It rained.\r\n\x1a")
    assert not seems_text(b"It rained.\x7f")


def test_a_guess_is_not_made_of_little() -> None:
    """A few odd bytes could be in anything; and what is declared is believed, or refused."""
    for content, declared in ((b"\xe9t\xe9", None), (SAMPLES["cp1251"].encode("cp1251") * 9, "utf-8")):
        with pytest.raises(BadDocument, match="Send UTF-8"):
            decode_text(content, declared)


@pytest.mark.parametrize(
    ("head", "charset"),
    [
        ("<meta charset=koi8-r>", "koi8_r"),
        ('<META http-equiv="Content-Type" content="text/html; charset=windows-1251">', "cp1251"),
        ('<?xml version="1.0" encoding="koi8-r"?>', "koi8_r"),
        ("<meta charset=iso-8859-1>", "cp1252"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=no-such>", "utf-8"),
        ("<meta charset=koi8-r>", "utf-16"),
    ],
)
def test_pages_name_their_charset(head: str, charset: str) -> None:
    """As browsers take it: Latin-1 means Windows', no page is in UTF-16 without a mark, and a mark goes first."""
    text = f"{head}<p>“Très bien”, dit-il." if charset == "cp1252" else f"{head}<p>Все"
    assert decoded_markup(text.encode(charset), None) == text
