"""The process that decodes: its bounds, what its end is called, and that nothing is left of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamapp.book import BOOK_TYPE, Book, Chapter, load_book
from streamapp.documents import apart, kinds
from streamapp.documents.apart import DecodedDocument, decoded
from streamapp.documents.limits import MIB, Limits
from streamapp.errors import BadDocument, Transient
from tests.unit.documents import make

PROSE = "It rained in the morning, and nobody came up the road until the post did."
BOOK = Book("The Road", [Chapter("Rain", [PROSE, PROSE]), Chapter("Post", [PROSE])])
PAGE = DecodedDocument(make.html(BOOK), kinds.HTML)
LIMITS = Limits(seconds=300, memory=512 * MIB)
FILES = {
    kinds.MARKDOWN: make.markdown(BOOK),
    kinds.HTML: make.html(BOOK),
    kinds.EPUB: make.epub(BOOK),
    kinds.DOCX: make.docx(BOOK),
    kinds.PDF: make.pdf(BOOK),
}


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the process run this code in the place of a reader of HTML."""

    def replace(code: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(
            "import streamapp.documents.decode as decode, os, time, ctypes, signal\n"
            "def read(file, media_type, limits):\n" + textwrap.indent(code, "    ") + "\ndecode.decode = read\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return replace


def said(limits: Limits = LIMITS) -> str:
    """The reason."""
    with pytest.raises(BadDocument) as bad:
        decoded(PAGE, limits)
    return str(bad.value)


def test_a_book_comes_out() -> None:
    """As text of its type, and the document can be read again."""
    document = decoded(PAGE, LIMITS)
    assert (document.media_type, document.size) == (BOOK_TYPE, len(document.content))
    with document.open() as file:
        assert load_book(file.read().decode()) == BOOK


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", " to read"),  # by whichever of the two, on a machine with more to do
        ("os.kill(os.getpid(), signal.SIGXCPU)", "HTML took more than 1 s of processor time to read"),
        ("time.sleep(600)", "HTML took more than 2 s to read"),
        (
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); time.sleep(600)",
            "HTML took more than 2 s to read",
        ),
    ],
)
def test_what_never_ends(
    reader: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    """Computing, waiting, and one that does not hear of it."""
    monkeypatch.setattr(apart, "GRACE_S", 1.0)
    reader(code)
    assert reason in said(Limits(seconds=1))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("kept = [bytearray(1 << 20) for _ in range(4096)]", "more than 512 MiB of memory"),
        ("def deep(): return deep()\ndeep()", "nested too deeply"),
        ("raise KeyError('/Pages')", "its reader met KeyError: '/Pages'"),
        ("ctypes.string_at(0)", "crashes what reads it"),
        ("os._exit(7)", "crashes what reads it"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "crashes what reads it"),
        ("from streamapp.book import Book, Chapter\nreturn Book('', [Chapter('', ['x' * (70 << 20)])])", "is too long"),
    ],
)
def test_what_a_library_may_do(reader: Callable[[str], None], code: str, reason: str) -> None:
    """Each end has its words."""
    reader(code)
    assert reason in said()


def test_its_bounds_are_the_kernels(reader: Callable[[str], None]) -> None:
    """Memory, processor time, what it writes; and it leaves no core behind."""
    names = "RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_CORE"
    reader(f"import resource\nraise ValueError([resource.getrlimit(getattr(resource, name)) for name in {names}])")
    size = 2 * LIMITS.text + 4096
    assert str([(LIMITS.memory, LIMITS.memory), (300, 301), (size, size), (0, 0)]) in said()


def test_no_room_on_the_disk(reader: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no fault of the document: it is tried again later."""
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfileobj", _full)
        with pytest.raises(Transient):
            decoded(PAGE, LIMITS)
    reader("from streamapp.book import Book\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nreturn Book('a', [])")
    with pytest.raises(Transient):
        decoded(PAGE, LIMITS)


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_process_that_is_killed_is_tried_again(reader: Callable[[str], None], tmp_path: Path) -> None:
    """The kernel may have ended it for another's memory."""
    marker = tmp_path / "once"
    reader(
        f"from streamapp.book import Book, Chapter\nif not os.path.exists({str(marker)!r}):\n"
        f"    open({str(marker)!r}, 'w').close()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "return Book('', [Chapter('a', ['b'])])"
    )
    assert load_book(decoded(PAGE, LIMITS).content.decode()).chapters == [Chapter("a", ["b"])]


PARENT = """
from streamapp.documents.apart import DecodedDocument, decoded
from streamapp.documents.limits import Limits
decoded(DecodedDocument(b"<html>", "text/html"), Limits())
"""


def test_it_ends_with_who_waits_for_it(reader: Callable[[str], None], tmp_path: Path) -> None:
    """Nothing goes on computing for a workshop that was killed."""
    marker = tmp_path / "pid"
    begin = (
        f"place = {str(marker)!r}\nopen(place + '.new', 'w').write(str(os.getpid()))\nos.rename(place + '.new', place)"
    )
    reader(f"{begin}\ntime.sleep(600)")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((os.environ["PYTHONPATH"], os.getcwd()))}
    # the parent itself must not run what stands in for the reader
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=environment)
    end = time.monotonic() + 60
    while not marker.exists():
        assert time.monotonic() < end, "the process never began"
        time.sleep(0.05)
    child = psutil.Process(int(marker.read_text()))
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    assert not [process for process in psutil.wait_procs([child], 30)[1] if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("media_type", FILES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_reason_or_a_book(media_type: str, data: st.DataObject) -> None:
    """Bytes changed, cut out and put in anywhere: never another exception, nor a crash, nor much memory."""
    content = bytearray(FILES[media_type])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 40))
        content[at : at + length] = data.draw(st.binary(max_size=40))
    assert not re.search("crashes|memory| took more ", outcome(bytes(content), media_type).partition("\n")[0])


def outcome(content: bytes, media_type: str) -> str:
    """The book's text, or the reason that it has none."""
    try:
        return decoded(DecodedDocument(content, media_type), LIMITS).content.decode()
    except BadDocument as error:
        return str(error)
