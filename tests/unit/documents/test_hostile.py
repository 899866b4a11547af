"""Files that are made to harm, damaged, encrypted or empty: a sentence for the sender, and nothing else happens."""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from streamapp.book import Book, Chapter, load_book
from streamapp.documents import kinds
from streamapp.documents.apart import DecodedDocument, decoded
from streamapp.documents.archive import Archive
from streamapp.documents.limits import MIB, Limits
from streamapp.errors import BadDocument
from tests.unit.documents import make

PROSE = "It rained in the morning, and nobody came up the road until the post did."
BOOK = Book("The Road", [Chapter("Rain", [PROSE, PROSE]), Chapter("Post", [PROSE])])
# little, so that a bomb that is not seen goes off soon; by the clock a busy machine may take any time
LIMITS = Limits(seconds=300, memory=512 * MIB, expanded=8 * MIB, text=4 * MIB, entries=100, pages=50, depth=200)
SECRET = "The secret that lies in a file of this machine"


def reason(content: bytes, media_type: str, limits: Limits = LIMITS) -> str:
    """What the sender hears."""
    with pytest.raises(BadDocument) as bad:
        decoded(DecodedDocument(content, media_type), limits)
    return str(bad.value)


def text_of(content: bytes, media_type: str) -> str:
    """All that is read."""
    return decoded(DecodedDocument(content, media_type), LIMITS).content.decode()


def either(content: bytes, media_type: str) -> str:
    """What is read, or what the sender hears."""
    try:
        return text_of(content, media_type)
    except BadDocument as error:
        return str(error)


def epub(**changes: bytes | str) -> bytes:
    """An EPUB with other parts; `chapter` is the first one's body."""
    parts = make.epub_parts(BOOK)
    if "chapter" in changes:
        parts["OEBPS/text/0.xhtml"] = changes.pop("chapter")
    return make.zipped({**parts, **changes})


def docx(document: bytes | str) -> bytes:
    """A DOCX with this as its text part."""
    return make.zipped({**make.docx_parts(BOOK), "word/document.xml": document})


def encrypted_zip(content: bytes) -> bytes:
    """The same with the flag that says a part is encrypted, in the directory and before the part."""
    out = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := out.find(mark, start)) >= 0:
            out[start + at] |= 1
            start += 4
    return bytes(out)


def one_page(content: bytes, **more: bytes) -> bytes:
    """A PDF of one page with this content stream, given with its dictionary."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        3: b"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Resources << /Font << /F1 6 0 R >> >> >>",
        4: b"<< >>",
        5: content,
        6: b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>",
    }
    return make.pdf_objects(objects | {int(name[1:]): value for name, value in more.items()})


def stream(content: bytes, times: int = 1) -> bytes:
    """Packed as often as that."""
    for _ in range(times):
        content = zlib.compress(content, 9)
    filters = b" ".join([b"/FlateDecode"] * times)
    return b"<< /Length %d /Filter [%s] >>\nstream\n%s\nendstream" % (len(content), filters, content)


# archives


def test_a_part_that_expands_to_much() -> None:
    """By what the directory says, and by what comes out when that says something else."""
    bomb = epub(chapter=b"<html>" + b" " * 20 * MIB)
    assert "expands to more than 8 MiB" in reason(bomb, kinds.EPUB)
    size = (20 * MIB + 6).to_bytes(4, "little")
    assert size in bomb
    lying = bomb.replace(size, (1000).to_bytes(4, "little"))
    assert "damaged" in reason(lying, kinds.EPUB) or "expands" in reason(lying, kinds.EPUB)


def test_many_parts_that_expand_to_much_together() -> None:
    """Each is small enough."""
    parts = {f"text/{number}.xhtml": b" " * MIB for number in range(12)}
    assert "expands to more than 8 MiB" in reason(epub(**parts), kinds.EPUB)


def test_one_part_named_many_times() -> None:
    """It is read once."""
    parts = make.epub_parts(BOOK)
    opf = str(parts["OEBPS/book.opf"])
    parts["OEBPS/book.opf"] = opf.replace('<itemref idref="c0"/>', '<itemref idref="c0"/>' * 1000)
    assert load_book(text_of(make.zipped(parts), kinds.EPUB)) == BOOK


def test_an_archive_of_archives() -> None:
    """What is within is not opened."""
    inner = make.zipped({"a": b" " * 4 * MIB})
    for _ in range(3):
        inner = make.zipped({f"{number}.zip": inner for number in range(10)})
    assert load_book(text_of(epub(**{"more.zip": inner}), kinds.EPUB)) == BOOK
    assert "missing" in reason(inner, kinds.EPUB)


def test_very_many_parts() -> None:
    """Refused before the directory is read."""
    assert "more than 100 parts" in reason(make.zipped({str(number): b"" for number in range(200)}), kinds.EPUB)
    packed = bytearray(make.zipped({str(number): b"" for number in range(2000)}))
    end = packed.rfind(b"PK\x05\x06")
    packed[end + 8 : end + 12] = b"\x01\0\x01\0"  # it says that there is one
    assert "more than 100 parts" in reason(bytes(packed), kinds.EPUB)


def test_a_long_directory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would become an object for each part, of which there may be millions."""
    packed = make.zipped({str(number): b"" for number in range(2000)})

    def never(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(zipfile, "ZipFile", never)
    with pytest.raises(BadDocument, match="more than 100 parts"):
        Archive(io.BytesIO(packed), LIMITS)


@pytest.mark.parametrize("content", [make.epub(BOOK), make.docx(BOOK)])
@pytest.mark.parametrize("media_type", [kinds.EPUB, kinds.DOCX])
def test_archives_that_are_broken(content: bytes, media_type: str) -> None:
    """Truncated, encrypted, empty, of another kind."""
    for length in (0, 100, len(content) // 2, len(content) - 10):
        assert "damaged" in reason(content[:length], media_type)
    assert "without a password" in reason(encrypted_zip(content), media_type)
    assert "missing" in reason(make.zipped({}), media_type)
    assert "damaged" in reason(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), media_type)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions(method: int) -> None:
    """These expand to gigabytes at once."""
    assert "compressed in a way" in reason(make.zipped(make.epub_parts(BOOK), method), kinds.EPUB)


# XML

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BILLION = f'<!DOCTYPE d [<!ENTITY l0 "{"ha" * 10}">{LAUGHS}]>'
QUADRATIC = f'<!DOCTYPE d [<!ENTITY big "{"ha" * 50_000}">]>'
OUTSIDE = '<!DOCTYPE d [<!ENTITY out SYSTEM "file://{}">]>'
DTD = '<!DOCTYPE d SYSTEM "file://{}">'


def document(declared: str, used: str) -> str:
    """A DOCX's text with a document type before and this within."""
    return (
        f'<?xml version="1.0"?>{declared}<w:document xmlns:w="{make.W}"><w:body><w:p><w:r><w:t>{PROSE} {used}</w:t>'
        "</w:r></w:p></w:body></w:document>"
    )


@pytest.mark.parametrize(
    ("declared", "used"), [(BILLION, "&l9;"), (QUADRATIC, "&big;" * 50_000), (OUTSIDE.format("/etc/hostname"), "&out;")]
)
def test_entities_in_a_docx(declared: str, used: str) -> None:
    """Those that a part declares are refused, and never expanded."""
    assert "entit" in reason(docx(document(declared, used)), kinds.DOCX)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_file_of_this_machine_is_not_read(tmp_path: Path, encoding: str) -> None:
    """Neither by an entity, in whatever encoding it hides, nor as a document type, nor as a template."""
    secret = tmp_path / "secret.xml"
    secret.write_text(SECRET)
    for part in (document(OUTSIDE.format(secret), "&out;"), document(DTD.format(secret), "")):
        for content, media_type in (
            (docx(part.encode(encoding)), kinds.DOCX),
            (epub(chapter=part.encode(encoding)), kinds.EPUB),
        ):
            assert SECRET not in either(content, media_type)


@pytest.mark.parametrize(("declared", "used"), [(BILLION, "&l9;"), (QUADRATIC, "&big;" * 10_000)])
def test_entities_in_a_chapter_and_a_package(declared: str, used: str) -> None:
    """A chapter shows them as they are written, a package is refused."""
    chapter = f'<?xml version="1.0"?>{declared}<html><body><p>{PROSE} {used}</p></body></html>'
    assert "haha" not in text_of(epub(chapter=chapter), kinds.EPUB)
    opf = declared + str(make.epub_parts(BOOK)["OEBPS/book.opf"]).replace("The Road", used)
    assert "entit" in reason(epub(**{"OEBPS/book.opf": opf}), kinds.EPUB)


@pytest.mark.parametrize("tag", ["div", "p", "b", "h1", "table", "span", "blockquote", "li", "pre"])
def test_elements_within_each_other(tag: str) -> None:
    """Deeper than any book: refused, without a tree of them."""
    deep = f"<html><body>{f'<{tag}>' * 100_000}{PROSE}"
    found = text_of(deep.encode(), kinds.HTML) if tag in ("p", "li") else reason(deep.encode(), kinds.HTML)
    assert PROSE in found or "within each other" in found
    nested = "<w:p>" * 10_000
    assert "damaged" in reason(docx(document("", f"</w:t></w:r>{nested}")), kinds.DOCX)


def test_very_much_text() -> None:
    """More than any book has."""
    page = b"<html><body>" + b"<p>" + PROSE.encode() * 60_000
    assert "more than 4 MiB" in reason(page, kinds.HTML)


# EPUB


@pytest.mark.parametrize(
    "path", ["../../../../../..{}", "{}", "file://{}", "http://127.0.0.1:1{}", "..%2f..%2f..{}", "\\..{}"]
)
def test_paths_that_lead_out_of_an_epub(tmp_path: Path, path: str) -> None:
    """Nothing is read but parts, by whatever name the package, the container or the contents call it."""
    secret = tmp_path / "secret.xhtml"
    secret.write_text(f"<html><body><p>{SECRET}</p></body></html>")
    parts = make.epub_parts(BOOK)
    link = path.format(secret)
    for name, old in (
        ("OEBPS/book.opf", "text/0.xhtml"),
        ("META-INF/container.xml", "OEBPS/book.opf"),
        ("OEBPS/nav.xhtml", "text/0.xhtml"),
    ):
        content = make.zipped({**parts, name: str(parts[name]).replace(old, link), link: b""})
        assert SECRET not in either(content, kinds.EPUB)


def test_an_epub_with_drm() -> None:
    """Said at once; scrambled fonts are no DRM."""
    rights = "<encryption><EncryptedData><EncryptionMethod Algorithm='{}'/></EncryptedData></encryption>"
    fonts = rights.format("http://www.idpf.org/2008/embedding")
    assert load_book(text_of(epub(**{"META-INF/encryption.xml": fonts}), kinds.EPUB)) == BOOK
    for name, content in (
        ("META-INF/encryption.xml", rights.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")),
        ("META-INF/rights.xml", "<rights/>"),
        ("META-INF/license.lcpl", "{}"),
    ):
        assert "DRM" in reason(epub(**{name: content}), kinds.EPUB)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (make.zipped({**make.epub_parts(BOOK), "OEBPS/text/0.xhtml": "", "OEBPS/text/1.xhtml": "<html/>"}), kinds.EPUB),
        (docx(f'<w:document xmlns:w="{make.W}"><w:body/></w:document>'), kinds.DOCX),
        (b"<html><body><img src=a.png alt=x><script>var x = 'words';</script></body></html>", kinds.HTML),
        (one_page(stream(b"q 100 0 0 100 0 0 cm /Im1 Do Q")), kinds.PDF),
    ],
)
def test_books_without_a_word(content: bytes, media_type: str) -> None:
    """Pictures alone; a PDF is told that it may be scanned."""
    said = reason(content, media_type)
    assert "no text" in said
    assert ("scanned" in said) == (media_type == kinds.PDF)


# PDF


def test_a_pdf_that_expands_to_much() -> None:
    """Once, and many times over."""
    text = b"BT /F1 11 Tf (" + b"a " * 50 * MIB + b") Tj ET"
    for times in (1, 2, 3):
        assert "too much" in reason(one_page(stream(text, times)), kinds.PDF) or "more than" in reason(
            one_page(stream(text, times)), kinds.PDF
        )


def test_pages_that_contain_themselves() -> None:
    """The tree of pages and the outline may lead back to where they began."""
    good = stream(b"BT /F1 11 Tf 72 700 Td (" + PROSE.encode() + b") Tj ET")
    loop = one_page(good, _2=b"<< /Type /Pages /Count 2 /Kids [3 0 R 2 0 R] >>")
    parents = one_page(good, _2=b"<< /Type /Pages /Count 1 /Kids [3 0 R] /Parent 2 0 R >>")
    outline = one_page(
        good,
        _1=b"<< /Type /Catalog /Pages 2 0 R /Outlines 7 0 R >>",
        _7=b"<< /Type /Outlines /First 8 0 R /Last 8 0 R >>",
        _8=b"<< /Title (A) /Dest [3 0 R /Fit] /Next 8 0 R /First 8 0 R /Parent 7 0 R >>",
    )
    for content in (loop, parents, outline):
        assert either(content, kinds.PDF)


def test_very_many_pages() -> None:
    """Though the file is small: a thousand of one."""
    kids = b" ".join([b"3 0 R"] * 1000)
    content = one_page(stream(b"BT /F1 11 Tf (a) Tj ET"), _2=b"<< /Type /Pages /Count 1000 /Kids [%s] >>" % kids)
    assert "more than 50 pages" in reason(content, kinds.PDF) or "damaged" in reason(content, kinds.PDF)


def test_pdfs_that_are_broken() -> None:
    """Truncated anywhere: the text that is left, or a reason."""
    content = make.pdf(BOOK)
    for length in (0, 5, 100, len(content) // 2, len(content) - 200):
        assert re.search("## |PDF|damaged", either(content[:length], kinds.PDF))


def test_a_pdf_with_a_password(tmp_path: Path) -> None:
    """Of the kind that can be made without another library, RC4; one that opens without a password is read."""
    from pypdf import PdfReader, PdfWriter

    for password, opens in (("secret", False), ("", True)):
        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make.pdf(BOOK))))
        writer.encrypt(password, "owner", algorithm="RC4-128")
        packed = io.BytesIO()
        writer.write(packed)
        if opens:
            assert PROSE in text_of(packed.getvalue(), kinds.PDF)
        else:
            assert "encrypted" in reason(packed.getvalue(), kinds.PDF)


def test_a_pdf_with_a_newer_password() -> None:
    """AES, which cannot be opened here at all."""
    encrypt = (
        b"/Encrypt << /Filter /Standard /V 5 /R 6 /Length 256 /P -4 /O (%s) /U (%s) /OE (%s) /UE (%s) /Perms (%s) "
        b"/CF << /StdCF << /CFM /AESV3 /Length 32 >> >> /StmF /StdCF /StrF /StdCF >> /ID [(a) (b)]"
    ) % (b"o" * 48, b"u" * 48, b"p" * 32, b"q" * 32, b"r" * 16)
    good = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        3: b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>",
        4: stream(b"BT (a) Tj ET"),
    }
    assert "encrypted" in reason(make.pdf_objects(good, b"/Root 1 0 R " + encrypt), kinds.PDF)


# what the process may use


@pytest.mark.parametrize("write", [make.html, make.epub, make.docx])
def test_too_little_memory(write: Callable[[Book], bytes]) -> None:
    """Said in words, with how much there was."""
    types: dict[Callable[[Book], bytes], str] = {make.html: kinds.HTML, make.epub: kinds.EPUB, make.docx: kinds.DOCX}
    long = Book("A", [Chapter(str(number), [f"{PROSE * 100} {each}" for each in range(1_500)]) for number in range(2)])
    narrow = Limits(seconds=300, memory=64 * MIB)
    assert "64 MiB of memory" in reason(write(long), types[write], narrow)


def test_nothing_of_ours_is_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads a stranger's file knows no setting of this one, which hold passwords."""
    from streamapp.documents import apart

    monkeypatch.setenv("STREAMAPP_SMTP_URL", "smtp://user:password@localhost")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    assert not {name for name in apart._environment() if name.startswith(("STREAMAPP", "AWS"))}
    assert "PATH" in os.environ
