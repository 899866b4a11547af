"""What each kind of file says of its chapters, in the ways that it has of saying it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.book import Book, Chapter, dump_book, load_book
from streamapp.documents.docx import read_docx
from streamapp.documents.epub import read_epub
from streamapp.documents.limits import Limits
from streamapp.documents.lines import Line, paragraphs_of
from streamapp.documents.page import read_page
from streamapp.errors import BadDocument
from tests.unit.documents import make

PROSE = "It rained in the morning, and nobody came up the road until the post did."
BOOK = Book("The Road", [Chapter("Rain", [PROSE, PROSE]), Chapter("Post", [PROSE])])
SOME = settings(max_examples=100, deadline=None)  # machines of all speeds


def page(body: str, head: str = "") -> Book:
    """An HTML page."""
    return read_page(
        io.BytesIO(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()), Limits()
    )


def outline(book: Book) -> list[tuple[str, list[str]]]:
    """Headings with their paragraphs."""
    return [(chapter.heading, chapter.paragraphs) for chapter in book.chapters]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h1>T</h1><h2>A</h2><p>a<h2>B</h2><p>b", [("A", ["a"]), ("B", ["b"])]),
        ("<h1>A</h1><p>a<h2>x</h2><p>b<h1>B</h1><p>c", [("A", ["a", "b"]), ("B", ["c"])]),
        (
            "<h1>P 1</h1><h2>A</h2><p>a<h2>B</h2><p>b<h1>P 2</h1><h2>C</h2><p>c",
            [("P 1 · A", ["a"]), ("B", ["b"]), ("P 2 · C", ["c"])],
        ),
        ("<h1>Prologue</h1><p>p<h1>P 1</h1><h2>A</h2><p>a<h1>P 2</h1><h2>B</h2><p>b",
         [("Prologue", ["p"]), ("P 1 · A", ["a"]), ("P 2 · B", ["b"])]),
        ("<h1>T</h1><p>t<h2>A</h2><p>a<h2>B</h2><p>b", [("T", ["t"]), ("A", ["a"]), ("B", ["b"])]),
        ("<h1>T</h1><p>t<h2>A</h2><p>a", [("T", ["t"]), ("A", ["a"])]),
        ("<h1>T</h1><p>t<p>u", [("", ["t", "u"])]),
        ("<p>first<h2>A</h2><p>a<h2>B</h2><p>b", [("", ["first"]), ("A", ["a"]), ("B", ["b"])]),
        ("<p>a<p>b", [("", ["a", "b"])]),
        ("<h2>A</h2><h2>B</h2><p>b<h2>C</h2><p>c", [("B", ["b"]), ("C", ["c"])]),
    ],
)  # fmt: skip
def test_levels_of_headings(body: str, expected: list[tuple[str, list[str]]]) -> None:
    """Chapters are the highest level that comes more than once, unless that names parts."""
    assert outline(page(body)) == expected


@pytest.mark.parametrize(
    ("body", "paragraphs"),
    [
        ("<p>A <b>bold</b>\n and <i>it</i>alic <a href=x>link</a>.", ["A bold and italic link."]),
        ("<div>a<div>b</div>c</div>", ["a", "b", "c"]),
        ("<ul><li>a<li>b</ul><table><tr><td>c<td>d</table>", ["a", "b", "c", "d"]),
        ("a<br>b", ["a b"]),
        ("<pre>one\ntwo\n\nthree</pre>", ["one two", "three"]),
        ("<p>caf&eacute; &amp; &#8220;x&#8221; &unknown;", ["café & “x” &unknown;"]),
        ("<p>a<script>b</script><style>c</style><p>d<!-- e -->", ["a", "d"]),
        ("<nav><a href=x>contents</a></nav><p>a", ["a"]),
        ('<p>a<span class="pagenum">[12]</span>b<a class="noteref">1</a> c', ["ab c"]),
        ("<p hidden>no</p><p>yes", ["yes"]),
        ("<p>a</b></i></div>b</p></p>c", ["ab", "c"]),
        ("<h2>a<br/>b</h2>c", ["c"]),
    ],
)
def test_paragraphs_of_a_page(body: str, paragraphs: list[str]) -> None:
    """As a reader sees them."""
    assert [text for chapter in page(body).chapters for text in chapter.paragraphs] == paragraphs


@pytest.mark.parametrize(
    ("body", "paragraphs"),
    [
        ("a<footer><p>Imprint.</footer>b", ["a", "b"]),
        ("<header><p>Log in.</header><p>a<aside><p>Related.</aside>", ["a"]),
        ("<header><div role=banner>Hi.</div>Log in.</header><p>a", ["a"]),
        ("<div role=contentinfo>Imprint.</div><p>a<div role=complementary>Related.</div>", ["a"]),
        ("<main><p>a<div role=navigation>Home</div><footer role=contentinfo>Imprint.</footer></main>", ["a"]),
        (
            "<article><header><h2>A</h2><p>By me.</header><p>a<footer>Thanks.</footer></article>",
            ["By me.", "a", "Thanks."],
        ),
        ("<section><p>a<aside><header>Note.</header>b</aside><footer>c</footer></section>", ["a", "Note.", "b", "c"]),
        ("<blockquote><p>a<footer>Somebody</footer></blockquote>", ["a", "Somebody"]),
        ("<main><header><p>a</header><aside>b</aside><footer>c</footer></main>", ["a", "b", "c"]),
        ("<p>a<aside role=note>b</aside><footer role=doc-endnotes>c</footer>", ["a", "b", "c"]),
        ("<header><p>a<p>b", ["a", "b"]),
    ],
)
def test_what_stands_beside_the_content(body: str, paragraphs: list[str]) -> None:
    """A page's header, footer and sidebar are left out; those of an article, a section or a quotation are content."""
    assert [text for chapter in page(body).chapters for text in chapter.paragraphs] == paragraphs


LISTING = "<pre><code>b = 1\n\nc = 2</code></pre>"
DATA = "<table><tr><th>Year<th>Rain</tr><tr><td>1851<td>12</tr></table>"


@pytest.mark.parametrize(
    ("body", "paragraphs"),
    [
        (f"<p>a{LISTING}<p>b{DATA}<p>c", ["a", "b", "c"]),
        ("<p>a<pre class='sourceCode python'>b = 1</pre><p>c", ["a", "c"]),
        ("<p>a<pre data-type=programlisting>b = 1</pre><p>c", ["a", "c"]),
        ("<p>a<table><caption>Rain</caption><tr><td>1851<td>12</table><p>c", ["a", "c"]),
        ("<p>a<table><thead><tr><td>Rain</thead><tr><td>12</table><p>c", ["a", "c"]),
        ("<table><tr><td>a<table><tr><th>Rain<td>12</table><tr><td>b</table>", ["a", "b"]),  # one of data in the layout
        ("<p>a <code>b</code> c<pre>d\n\ne</pre><table><tr><td>f</table>", ["a b c", "d", "e", "f"]),
        (f"<h1>A</h1>{LISTING}{DATA}", ["b = 1", "c = 2", "Year", "Rain", "1851", "12"]),  # nothing else is there
    ],
)
def test_code_and_tables_of_data_are_no_prose(body: str, paragraphs: list[str]) -> None:
    """They are left out, unless they are all that there is; what is laid out or preformatted alone is none."""
    assert [each for chapter in page(body).chapters for each in chapter.paragraphs] == paragraphs


def test_a_title_in_a_pages_header() -> None:
    """Is the page's, unless its content has one; its other headings are no chapters."""
    header = "<header><h1>The <i>Road</i></h1><p>by me<h2>Menu</h2></header>"
    found = page(f"{header}<h2>A</h2><p>a<h2>B</h2><p>b", "<title>x</title>")
    assert (found.title, outline(found)) == ("The Road", [("A", ["a"]), ("B", ["b"])])
    found = page(f"{header}<main><h1>The Post</h1><h2>A</h2><p>a<h2>B</h2><p>b</main>")
    assert (found.title, outline(found)) == ("The Post", [("A", ["a"]), ("B", ["b"])])


def test_the_title_of_a_page() -> None:
    """Its one h1, or what it calls itself."""
    assert page("<h1>The\n Road</h1><h2>A</h2><p>a", "<title>x | A Site</title>").title == "The Road"
    assert page("<h2>A</h2><p>a", "<title> The  Road </title>").title == "The Road"


def test_xhtml_is_read_as_xml() -> None:
    """An empty title or script is closed there, which it is not in HTML; and what is no XML is read all the same."""
    start = (
        '<?xml version="1.0" encoding="iso-8859-1"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
    )
    body = "<body>{}<h2>A</h2><p>é&nbsp;a{}<h2>B</h2><p>b</p></body></html>"
    for text in (start + body.format("<script src='a'/>", "</p>"), start + body.format("", "<br>")):
        assert outline(read_page(io.BytesIO(text.encode()), Limits())) == [("A", ["é a"]), ("B", ["b"])]


def epub_of(**changes: str) -> Book:
    """An EPUB with other parts."""
    return read_epub(io.BytesIO(make.zipped({**make.epub_parts(BOOK), **changes})), Limits())


def test_a_books_page_has_nothing_beside_it() -> None:
    """Its headers and notes are the book's."""
    text = f"<html><body><header><h2>Rain</h2><p>{PROSE}</p></header><aside>{PROSE}</aside></body></html>"
    assert epub_of(**{"OEBPS/text/0.xhtml": text}).chapters[0] == Chapter("Rain", [PROSE, PROSE])


def test_code_and_tables_of_data_in_an_epub() -> None:
    """They are left out too, but for a page that has nothing else."""
    page = "<html><body><h2>Rain</h2>{}" + LISTING + "<table><tr><th>Year</th></tr></table></body></html>"
    found = epub_of(**{"OEBPS/text/0.xhtml": page.format(f"<p>{PROSE}</p>")})
    assert found.chapters[0] == Chapter("Rain", [PROSE])
    alone = "<html><body>" + LISTING + "</body></html>"
    assert "c = 2" in epub_of(**{"OEBPS/text/0.xhtml": alone}).chapters[0].paragraphs


def test_an_epub_by_its_contents() -> None:
    """Its lines name the chapters, whatever the text says there, also in the middle of a part."""
    one = f'<html><body><p id="a">1</p><p>{PROSE}</p><p><a id="b"></a>2</p><h3>x</h3><p>{PROSE}</p></body></html>'
    nav = '<html><body><nav epub:type="toc"><ol><li><a href="text/0.xhtml#a">Rain</a></li>{}</ol></nav></body></html>'
    part = '<li><span>Part</span><ol><li><a href="text/0.xhtml#b">Post</a></li></ol></li>'
    flat = '<li><a href="text/0.xhtml#b">Post</a></li><li><a href="text/9.xhtml">Missing</a></li>'
    parts = {"OEBPS/text/0.xhtml": one, "OEBPS/text/1.xhtml": "<html/>"}
    found = epub_of(**parts, **{"OEBPS/nav.xhtml": nav.format(flat)})
    assert outline(found) == [("Rain", ["1", PROSE]), ("Post", ["2", PROSE])]
    assert [chapter.heading for chapter in epub_of(**parts, **{"OEBPS/nav.xhtml": nav.format(part)}).chapters]


def test_an_older_epub() -> None:
    """Its contents are an NCX, with parts above chapters; HTML that is no XML; percent signs in names."""
    point = '<navPoint><navLabel><text>{}</text></navLabel><content src="{}"/>{}</navPoint>'
    ncx = "".join(
        point.format(f"Part {n}", f"text/{n}.xhtml", point.format(name, f"text/{n}.xhtml#begin", ""))
        for n, name in enumerate(("Rain", "Post"))
    )
    parts = make.epub_parts(BOOK)
    nav = '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    opf = str(parts["OEBPS/book.opf"]).replace(
        nav, '<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    )
    changed = {
        "OEBPS/book.opf": opf.replace("text/0.xhtml", "a%20b.xhtml"),
        "OEBPS/a b.xhtml": str(parts["OEBPS/text/0.xhtml"]).replace("</p>", "<br>"),
        "OEBPS/toc.ncx": f"<ncx><navMap>{ncx.replace('text/0.xhtml', 'a%20b.xhtml')}</navMap></ncx>",
    }
    assert [chapter.heading for chapter in epub_of(**changed).chapters] == ["Part 0 · Rain", "Part 1 · Post"]


def test_an_epub_without_contents() -> None:
    """Its headings name the chapters; without any, there is one."""
    parts = make.epub_parts(BOOK)
    opf = str(parts["OEBPS/book.opf"]).replace('properties="nav"', "")
    assert outline(epub_of(**{"OEBPS/book.opf": opf})) == outline(BOOK)
    bare = {name: str(content).replace("h2", "p") for name, content in parts.items() if "/text/" in name}
    assert outline(epub_of(**{"OEBPS/book.opf": opf}, **bare)) == [("", ["Rain", PROSE, PROSE, "Post", PROSE])]


def test_what_a_docx_has_in_its_paragraphs() -> None:
    """Tabs and breaks are spaces, what was deleted is gone, a box comes once, a heading may be marked by itself."""
    text = (
        "<w:p><w:pPr><w:outlineLvl w:val='0'/></w:pPr><w:r><w:t>One</w:t></w:r></w:p>"
        "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/></w:r><w:hyperlink><w:r><w:t>c</w:t></w:r></w:hyperlink>"
        "<w:del><w:r><w:delText>no</w:delText></w:r></w:del><w:ins><w:r><w:t>d</w:t></w:r></w:ins></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
        "<w:p><w:r><Choice><w:p><w:r><w:t>box</w:t></w:r></w:p></Choice><Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p>"
        "</Fallback></w:r></w:p>"
        "<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr><w:r><w:t>Two</w:t></w:r></w:p>"
        "<w:p><w:r><w:t>e</w:t></w:r></w:p>"
    )
    document = f'<w:document xmlns:w="{make.W}"><w:body>{text}</w:body></w:document>'
    content = make.zipped({**make.docx_parts(BOOK), "word/document.xml": document})
    assert outline(read_docx(io.BytesIO(content), Limits())) == [("One", ["a b cd", "cell", "box"]), ("Two", ["e"])]


def test_a_style_that_is_based_on_itself() -> None:
    """Is no heading."""
    loop = (
        f'<w:styles xmlns:w="{make.W}"><w:style w:styleId="Heading1"><w:basedOn w:val="Heading1"/></w:style></w:styles>'
    )
    content = make.zipped({**make.docx_parts(BOOK), "word/styles.xml": loop})
    assert len(read_docx(io.BytesIO(content), Limits()).chapters) == 1


def lines(*texts: str, x: float = 72, y: float = 700, step: float = 14) -> list[Line]:
    """Lines below each other; one that begins with a space is indented, an empty one leaves a gap."""
    return [
        Line(text, x + (12 if text.startswith(" ") else 0), y - step * place, 11)
        for place, text in enumerate(texts)
        if text
    ]


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([["a long line of words", "and another of them"]], ["a long line of words and another of them"]),
        ([["a long line of words", " and another of them"]], ["a long line of words", "and another of them"]),
        ([["a long line of words", "", "and another of them", "that goes on and on"]],
         ["a long line of words", "and another of them that goes on and on"]),
        ([["a long line of words", "it ends.", "The next one is long"]],
         ["a long line of words it ends.", "The next one is long"]),
        ([["a long line of words"], ["that goes on overleaf"]], ["a long line of words that goes on overleaf"]),
        ([["a hyphen-", "ated word"]], ["a hyphenated word"]),
        ([["the well-known one, a well-", "known word"]], ["the well-known one, a well-known word"]),
        ([["the ﬁrst ﬂoor"]], ["the first floor"]),
        ([["THE ROAD 1", "one and"], ["THE ROAD 2", "two and"], ["THE ROAD 3", "three"]], ["one and two and three"]),
    ],
)  # fmt: skip
def test_lines_become_paragraphs(pages: list[list[str]], expected: list[str]) -> None:
    """By indents, gaps, short lines and hyphens; over pages, without their heads."""
    assert [each.text for each in paragraphs_of([lines(*page) for page in pages])] == expected


WORDS = st.text(max_size=40)


@SOME
@given(WORDS, st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=4)), max_size=4))
def test_a_book_crosses_as_text(title: str, chapters: list[tuple[str, list[str]]]) -> None:
    """What is read is what was written, white space folded, also where a paragraph looks like a heading."""
    book = Book(title, [Chapter(heading, list(paragraphs)) for heading, paragraphs in chapters])
    folded = [(fold(heading), [text for text in map(fold, paragraphs) if text]) for heading, paragraphs in chapters]
    found = load_book(dump_book(book))
    assert found.title == fold(title)
    assert outline(found) == folded


def fold(text: str) -> str:
    """As the book's text has it."""
    return " ".join(text.replace("\0", "").split()).encode("utf-8", "replace").decode()


def test_no_book_at_all() -> None:
    """Each reader says so."""
    for read in (read_epub, read_docx):
        with pytest.raises(BadDocument):
            read(io.BytesIO(b""), Limits())
