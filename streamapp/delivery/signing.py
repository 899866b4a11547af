"""Signatures of webhooks, by the symmetric scheme of Standard Webhooks (https://www.standardwebhooks.com).

Signed is ``{id}.{timestamp}.{body}`` with HMAC-SHA256. A receiver checks the signature, refuses a timestamp that is far
from its own clock (so that what somebody overheard can't be sent again later), and tells repeats by the id. While
secrets are being changed there is a signature by each of them, and one that fits is enough.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping

__all__ = ["TOLERANCE_S", "BadSignature", "key_of", "sign", "signed_headers", "verify"]

PREFIX = "whsec_"
VERSION = "v1"
TOLERANCE_S = 300
SHORTEST, LONGEST = 24, 64  # bytes of a key, as the specification has it


class BadSignature(Exception):
    """What came is not what was sent, or not by whom it seems, or not now; the message says which."""


def key_of(secret: str) -> bytes:
    """The key behind a secret, ``whsec_`` and base64. Raises ValueError, which does not repeat the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a secret is {PREFIX} and base64: {error}") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"a secret has {SHORTEST} to {LONGEST} bytes, and this one has {len(key)}")
    return key


def sign(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """One signature: the scheme's version, a comma, base64."""
    signed = hmac.digest(key_of(secret), f"{identity}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"{VERSION},{base64.b64encode(signed).decode('ascii')}"


def signed_headers(secrets: Iterable[str], identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; `timestamp` is that of this attempt, in seconds since the epoch."""
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, identity, timestamp, body) for secret in secrets),
    }


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Check what came, as a receiver does. `headers` finds names in lower case. Raises `BadSignature`."""
    identity, stamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    plain = all(each.isascii() for each in (identity, given, stamp))
    if not (plain and identity and given and stamp.isdigit() and len(stamp) < 16):
        raise BadSignature("a header of webhook-id, webhook-timestamp and webhook-signature is missing, or is none")
    if abs(now - int(stamp)) > TOLERANCE_S:
        raise BadSignature(f"its timestamp is {abs(now - int(stamp)):.0f} s from this clock")
    expected = [sign(secret, identity, int(stamp), body).encode() for secret in secrets]
    if not any(hmac.compare_digest(one, each.encode()) for one in expected for each in given.split(" ")):
        raise BadSignature("no signature fits")
