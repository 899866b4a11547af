"""A document while it is received, and after: in memory while it is small, else on its way into the blob store.

Nobody knows how long it will be, nor, in a form, what it is, before all of it has come. So what is needed later is
noted on the way: its SHA-256, its first bytes, and whether it is text in UTF-8. See docs/adr/0021.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Iterator
from typing import BinaryIO

from streamapp import faults
from streamapp.documents.charset import seems_text
from streamapp.documents.claim import Blobs
from streamapp.documents.longtext import TextLook, normal_pieces
from streamapp.documents.spool import Spool
from streamapp.elsewhere import Elsewhere
from streamapp.intake.refusal import Refused
from streamapp.intake.room import Room

__all__ = ["IN_MEMORY", "Upload", "Uploads", "document_path"]

IN_MEMORY = 2 * 1024 * 1024  # bytes; what is larger is spooled
PIECE = 1024 * 1024
HEAD = 4096
HASHED_WHOLE = 32 * 1024 * 1024  # bytes; of what is larger its SHA-256 is hashed, of which there is no other way
RETRY_S = 10


class Uploads:
    """What the uploads of a worker share: the store, how many are spooled at a time, the limit, the disk's room.

    `elsewhere` does what blocks, and `spool` keeps what is large.
    """

    def __init__(
        self,
        blobs: Blobs,
        room: Room,
        *,
        most_bytes: int,
        at_a_time: int,
        elsewhere: Elsewhere = asyncio.to_thread,
        spool: type[Spool] = Spool,
    ) -> None:
        self.blobs = blobs
        self.room = room
        self.most_bytes = most_bytes
        self.elsewhere = elsewhere
        self.spool = spool
        self._at_a_time = at_a_time
        self._spooling: set[object] = set()

    def begin(self, tenant: str, job: str, announced: int = 0, most_bytes: int | None = None) -> Upload:
        """A document for that job, of which so many bytes are announced; 0 if it is not known.

        Raises `Refused` with 413. `most_bytes` is a limit of its own.
        """
        upload = Upload(self, tenant, job, announced, self.most_bytes if most_bytes is None else most_bytes)
        upload.refuse_larger(announced)
        return upload

    def take_place(self, who: object) -> None:
        """Raise `Refused` with 503 while as many as may are spooled."""
        if who not in self._spooling and len(self._spooling) >= self._at_a_time:
            detail = f"{self._at_a_time} large documents are being received, and no more at a time. Try again."
            raise Refused(503, detail, retry_after_s=RETRY_S)
        self._spooling.add(who)

    def give_place(self, who: object) -> None:
        """It is through, or given up."""
        self._spooling.discard(who)
        self.room.forget(who)


class Upload:
    """One document: `add` its bytes, `end` it, `take` its blob when a job is reserved with it, and in any case `close`.

    After `end`, `content` has all of it, or `reference` says where it is; as `Pieced` it is what stands for it in
    hashes, which is the same as for a document that never left memory.
    """

    def __init__(self, uploads: Uploads, tenant: str, job: str, announced: int, most_bytes: int) -> None:
        self.job = job
        self._most_bytes = most_bytes
        self._tenant = tenant
        self._uploads = uploads
        self._announced = announced
        self._taken = False
        self._begin()

    @property
    def elsewhere(self) -> Elsewhere:
        """Does what blocks."""
        return self._uploads.elsewhere

    def _begin(self) -> None:
        self.size = 0
        self.head = b""
        self.content: bytes | None = None
        self.reference: str | None = None
        self.look = TextLook()
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._spool: Spool | None = None

    async def add(self, piece: bytes) -> None:
        """The next bytes. Raises `Refused` with 413 or 503, and `StoreUnavailable`."""
        self.size += len(piece)
        self.refuse_larger(self.size)
        self._buffer += piece
        if len(self._buffer) >= (IN_MEMORY + 1 if self._spool is None else PIECE):
            await self._flush()

    def refuse_larger(self, size: int) -> None:
        """Raise `Refused` with 413 when so many bytes are too many."""
        if size > self._most_bytes:
            detail = f"The document is larger than {self._most_bytes} bytes, which is the most that is taken of it."
            raise Refused(413, detail, field="body")

    async def end(self) -> None:
        """All of it has come. A spooled one is on the disk when this returns."""
        if self._spool is None:
            self.content = bytes(self._buffer)
            self.head = self.content[:HEAD]
            return
        await self._flush(last=True)
        self.reference = await self._spool.finish()
        faults.cross("blob.after")

    def take(self) -> None:
        """The blob is a job's from now on."""
        self._taken = True

    async def close(self) -> None:
        """Leave nothing that was not taken. Never raises."""
        self._uploads.give_place(self)
        if self._spool is not None and not self._taken:
            await self._spool.abandon()

    async def recode(self, encoding: str) -> None:
        """Become the same text in UTF-8. Raises `BadDocument`, `Refused` and `StoreUnavailable`."""
        old, reference = self._spool, self.reference
        assert old is not None
        assert reference is not None
        source = normal_pieces(self._stored(reference), encoding)
        self._announced = 0
        self._begin()
        try:
            while (piece := await self.elsewhere(next, source, None)) is not None:
                await self.add(piece)
            await self.end()
        finally:
            await old.abandon()

    def is_text(self) -> bool:
        """Whether it is text, in UTF-8 or as its beginning seems to be, whatever else it may be."""
        look = self.look
        if self.content is not None:
            look = TextLook()
            look.add(self.content, last=True)
        return seems_text(self.head) if look.wrong is not None else not look.nuls

    def pieces(self) -> Iterator[bytes]:
        """What stands for it in a hash, behind its size; it blocks."""
        if self.size > HASHED_WHOLE:
            yield self._hash.digest()
        else:
            yield from self.stored()  # what is in memory stands for itself

    def open(self) -> BinaryIO:
        """Read one that was spooled from its start; it blocks. Raises `StoreUnavailable`."""
        assert self.reference is not None
        return self._uploads.blobs.open(self.reference)

    def stored(self) -> Iterator[bytes]:
        """The bytes of one that was spooled; it blocks."""
        assert self.reference is not None
        return self._stored(self.reference)

    def _stored(self, reference: str) -> Iterator[bytes]:
        with self._uploads.blobs.open(reference) as file:
            while piece := file.read(PIECE):
                yield piece

    async def _flush(self, *, last: bool = False) -> None:
        piece = bytes(self._buffer)
        self._buffer.clear()
        if self._spool is None:
            self._uploads.take_place(self)
            self.head = piece[:HEAD]
        free = await self.elsewhere(self._note, piece, last)
        self._uploads.room.expect(self, max(0, self._announced - self.size), free)
        if self._spool is None:
            faults.cross("blob.before")
            self._spool = self._uploads.spool(self._uploads.blobs, document_path(self._tenant, self.job))
        if piece:
            await self._spool.write(piece)

    def _note(self, piece: bytes, last: bool) -> int | None:
        self._hash.update(piece)
        self.look.add(piece, last=last)
        return self._uploads.room.free()


def document_path(tenant: str, job: str) -> str:
    """A path of its own for each attempt, so that a refused one can remove what it wrote and nothing else."""
    return f"documents/{tenant}/{job}/{uuid.uuid4().hex}"
