"""Forms (RFC 7578) and documents by themselves: cut off, doubled, in strange charsets and strange wrappings."""

from __future__ import annotations

import random
from urllib.parse import urlencode

from fuzz.routes import VALUES
from fuzz.shot import Shot, Target, bearer, request, times

__all__ = ["forms"]

NAMES = ("task", "text", "file", "params", "email", "webhook", "priority", "fresh", "deadline", "media_type", "name",
         "_charset_", "colour",
         "", 'a"b', "a\r\nX: y", "\udcff", "n" * 9000, "fi\x00le")  # fmt: skip
CONTENTS = (b"echo", b"A line.", b"", b"\x00" * 40, b"\xff\xfe", b"[]", b'{"chunk": 3}', b'{"chunk":', b"9" * 5000,
            b"a" * 70_000, b"\xef\xbb\xbfA",
            b"\r\n--", b"a\r\n--b\r\n", b"%PDF-1.7", b"PK\x03\x04" + b"\x00" * 30, b"<html><p>A", b"\x1f\x8b\x08",
            "A lîne.".encode("utf-16"))  # fmt: skip
BOUNDARIES = ("b", "b" * 70, "b" * 71, "b b", '"b b"', "", "--", "é", "b\x00", "a;b", "b--", "'b'", "=?utf-8?q?b?=")
LINES = ("Content-Type: text/plain", "Content-Type: text/plain; charset=utf-7",
         "Content-Type: text/plain; charset=no-such", "Content-Type: multipart/mixed; boundary=i",
         "Content-Type: application/pdf", "Content-Type: a" * 900, "Content-Transfer-Encoding: base64",
         "Content-Transfer-Encoding: quoted-printable",
         "Content-Transfer-Encoding: rot13", "Content-Encoding: gzip", "Content-Encoding: br", "Content-Length: 9",
         "Content-Type:", "nonsense", ": a",
         "Content-Type: application/epub+zip", "Content-Type: text/html")  # fmt: skip
FILENAMES = (
    "a.txt",
    "../../a.txt",
    "a\x00.txt",
    "\udcff",
    "a" * 300,
    "",
    "a.exe",
    "=?utf-8?b?YQ==?=",
    'a".txt',
    "a.epub",
)
CHARSETS = (
    "utf-8",
    "utf-16",
    "utf-7",
    "utf-32",
    "idna",
    "punycode",
    "unicode_escape",
    "rot13",
    "base64",
    "zlib",
    "undefined",
    "latin-1",
    "cp037",
    "x" * 999,
)
KINDS_OF_DOCUMENT = ("text/plain", "text/html", "text/markdown", "application/pdf", "application/epub+zip",
                     "application/octet-stream",
                     "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "image/png",
                     "text/plain;;", "*/*")  # fmt: skip


def forms(chance: random.Random, target: Target) -> Shot:
    """One of them."""
    return chance.choice((_multipart, _multipart, _multipart, _document, _urlencoded))(chance, target)


def _multipart(chance: random.Random, target: Target) -> Shot:
    boundary = chance.choice(BOUNDARIES) if chance.random() < 0.2 else "frontier"
    mark = boundary.strip('"').encode("utf-8", "surrogateescape")
    parts = [_part(chance) for _ in range(chance.choice((0, 1, 2, 2, 3, 6)))]
    if chance.random() < 0.6:
        parts[:0] = [b'Content-Disposition: form-data; name="task"\r\n\r\necho']
    if chance.random() < 0.02:
        parts *= times(2000, sum(map(len, parts)))
    body = (
        b"".join(b"--%s\r\n%s\r\n" % (mark, part) for part in parts)
        + chance.choice((b"--%s--\r\n", b"--%s--", b"--%s")) % mark
    )
    if chance.random() < 0.25:
        body = chance.choice(
            (
                body[: chance.randrange(len(body) + 1)],
                b"preamble\r\n" * 2000 + body,
                body + b"epilogue" * 2000,
                body.replace(b"\r\n", b"\n"),
            )
        )
    return _post(chance, target, f"multipart/form-data; boundary={boundary}".encode("utf-8", "surrogateescape"), body)


def _part(chance: random.Random) -> bytes:
    name = chance.choice(NAMES[:11] if chance.random() < 0.8 else NAMES)
    about = f'Content-Disposition: form-data; name="{name}"'
    if name == "file" or chance.random() < 0.1:
        about += f'; filename="{chance.choice(FILENAMES)}"'
    if chance.random() < 0.1:
        about = chance.choice(
            (
                "Content-Disposition: attachment",
                "Content-Disposition: form-data",
                "Content-Disposition: form-data; name*=utf-8''task",
                about * 2,
                "",
            )
        )
    lines = [about, *(chance.choice(LINES) for _ in range(chance.choice((0, 0, 1, 2))))]
    if chance.random() < 0.02:
        lines *= times(800, sum(map(len, lines)))
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + chance.choice(CONTENTS)


def _document(chance: random.Random, target: Target) -> Shot:
    """The body as it is, and the fields in the query."""
    kind = chance.choice(KINDS_OF_DOCUMENT)
    if kind.startswith("text/") and chance.random() < 0.5:
        kind += f"; charset={chance.choice(CHARSETS)}"
    body = chance.choice((*CONTENTS, *target.documents, b"a" * (3 << 20)) if chance.random() < 0.03 else CONTENTS)
    fields = [
        f"{name}={chance.choice(VALUES)}"
        for name in chance.choices(
            ("name", "params", "priority", "media_type", "task", "x"), k=chance.choice((0, 0, 1, 2))
        )
    ]
    return _post(chance, target, kind.encode(), body, path="/v1/jobs?" + "&".join(["task=echo", *fields]))


def _urlencoded(chance: random.Random, target: Target) -> Shot:
    fields = {name: chance.choice(CONTENTS) for name in chance.sample(("key", "next", "task", "text", "a"), 2)}
    body = (
        urlencode(fields).encode()
        if chance.random() < 0.7
        else chance.choice((b"%", b"&" * 5000, b"=", b"key", b"key=%zz", b"key=%ff", b"a=b&" * 3000))
    )
    return _post(chance, target, b"application/x-www-form-urlencoded" + chance.choice((b"", b"; charset=x",
    b"; charset=utf-16")), body,
                 path=chance.choice(("/login", "/login", "/ui/jobs", "/logout", "/v1/jobs",
                 "/kafka/pushToConsumers")))  # fmt: skip


def _post(chance: random.Random, target: Target, kind: bytes, body: bytes, path: str = "") -> Shot:
    path = path or chance.choice(("/v1/jobs", "/v1/jobs", "/ui/jobs", "/login", "/kafka/pushToConsumers"))
    sent = request(
        chance.choice(("POST",) * 9 + ("PUT",)),
        path,
        [*bearer(chance, target), ("Content-Type", kind)],
        body,
        target.host,
    )
    return Shot((sent,), path.partition("?")[0])
