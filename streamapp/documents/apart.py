"""Decoding apart: each document in a process of its own that lives for that alone, under bounds that the kernel keeps.

Libraries that read files from anybody may loop, crash or eat all memory. Here that fails one job, with a reason in
words. The process gets the document as an open file and nothing else of ours: no settings, no passwords, no address.
"""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from streamapp.book import BOOK_FILES, BOOK_TYPE
from streamapp.documents.child import NO_MEMORY, NO_ROOM, REFUSED, TOO_LONG
from streamapp.documents.kinds import named
from streamapp.documents.limits import MIB, Limits
from streamapp.errors import BadDocument, Transient

__all__ = ["DecodedDocument", "decoded"]

logger = logging.getLogger(__name__)

ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH")
ATTEMPTS: Final = 2
GRACE_S: Final = 5.0


class Source(Protocol):
    """What is decoded, as `streamapp.tasks.Document` has it."""

    @property
    def media_type(self) -> str:
        """What it is."""

    def open(self) -> BinaryIO:
        """Read it from its start."""


@dataclass(frozen=True, slots=True)
class DecodedDocument:
    """`streamapp.tasks.Document`: a book as text of the type `BOOK_TYPE`."""

    content: bytes
    media_type: str = BOOK_TYPE

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """Read it from its start."""
        return io.BytesIO(self.content)


def decoded(source: Source, limits: Limits) -> DecodedDocument:
    """The book in a document of one of the types `BOOK_FILES`. Blocks for as long as that takes.

    Raises `BadDocument` with the reason, `Transient` for want of a disk, and what opening the document raises.
    """
    assert source.media_type in BOOK_FILES
    kind = named(source.media_type)
    with _as_file(source) as file:
        for _ in range(ATTEMPTS):
            file.seek(0)
            code, out = _run(file, source.media_type, limits)
            if code == 0:
                return DecodedDocument(out)
            if code == REFUSED:
                raise BadDocument(out.decode("utf-8", "replace"))
            if code == NO_MEMORY:
                raise BadDocument(f"The {kind} takes more than {limits.memory / MIB:g} MiB of memory to read.")
            if code == TOO_LONG:
                raise BadDocument(f"The text in this {kind} is too long.")
            if code == NO_ROOM:
                raise Transient("there is no room on the disk for the text of a document")
            if code == -signal.SIGXCPU:
                raise BadDocument(f"The {kind} took more than {limits.seconds:g} s of processor time to read.")
            if code == -signal.SIGALRM:
                raise BadDocument(f"The {kind} took more than {limits.clock_s:g} s to read.")
            logger.warning("the process that decodes a document ended by itself", extra={"kind": kind, "code": code})
    raise BadDocument(f"The {kind} crashes what reads it: it is damaged, or made to.")


@contextmanager
def _as_file(source: Source) -> Iterator[BinaryIO]:
    """The document as a file without a name: it may be in a bucket, and archives are read from their end."""
    with tempfile.TemporaryFile() as file:
        try:
            with source.open() as opened:
                shutil.copyfileobj(opened, file, MIB)
            file.flush()
        except OSError as error:
            raise Transient(f"the document can't be laid out to be read: {error}") from error
        yield file


def _run(file: BinaryIO, media_type: str, limits: Limits) -> tuple[int, bytes]:
    """The exit code and the output; the code is that of the end by the clock when it had to be ended from here."""
    packed = json.dumps(dataclasses.asdict(limits))
    command = [sys.executable, "-P", "-m", "streamapp.documents.child", media_type, packed, str(os.getpid())]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            command, stdin=file, stdout=out, stderr=subprocess.DEVNULL, env=_environment(), close_fds=True
        )
        try:
            code = process.wait(limits.clock_s + GRACE_S)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        finally:
            process.kill()
            process.wait()
        out.seek(0)
        return code, out.read()


def _environment() -> dict[str, str]:
    """Without our settings and their passwords; with where this code is, which need not be installed."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    here = str(Path(__file__).parents[2])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (here, kept.get("PYTHONPATH"))))}
