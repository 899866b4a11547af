"""Signatures, checked as a client would: with the library that the makers of Standard Webhooks publish."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from streamapp.delivery.signing import TOLERANCE_S, BadSignature, key_of, sign, signed_headers, verify

OLD, NEW, OTHER = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2, 3))
BODY = '{"type":"job.succeeded","name":"Ä"}'.encode()


def test_the_specifications_own_example() -> None:
    """Gives the signature that the specification prints."""
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_client_takes_it() -> None:
    """With the secret, and with no other."""
    headers = signed_headers([NEW], "id", int(time.time()), BODY)
    assert Webhook(NEW).verify(BODY, headers)["type"] == "job.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, headers)


def test_two_secrets_while_they_are_changed() -> None:
    """Each client takes it, the one that has changed and the one that has not."""
    headers = signed_headers([NEW, OLD], "id", int(time.time()), BODY)
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(BODY, headers)
        verify([secret], headers, BODY, time.time())
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, headers)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "other"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "x"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,ä \udcff"},
        {"webhook-id": ""},
        {"webhook-id": "\udcff"},
    ],
    ids=repr,
)
def test_what_our_own_receiver_refuses(changes: dict[str, str]) -> None:
    """Whatever is not as it was signed, and never with another error."""
    headers = signed_headers([NEW], "id", 1000, BODY)
    verify([OLD, NEW], headers, BODY, 1000.0 + TOLERANCE_S)
    for now, body, given_ in ((1000.0, BODY, headers | changes), (1001.0 + TOLERANCE_S, BODY, headers)):
        with pytest.raises(BadSignature):
            verify([OLD, NEW], given_, body, now)
    with pytest.raises(BadSignature, match="no signature"):
        verify([NEW], headers, BODY + b" ", 1000.0)


@given(st.binary(min_size=24, max_size=64), st.text(min_size=1, max_size=40), st.text(max_size=200))
def test_ours_and_theirs_sign_alike(key: bytes, identity: str, text: str) -> None:
    """For any key, id and body."""
    secret = f"whsec_{base64.b64encode(key).decode()}"
    try:
        identity.encode(), text.encode()
    except UnicodeEncodeError:
        return
    theirs = Webhook(secret).sign(identity, datetime.fromtimestamp(1_700_000_000, UTC), text)
    assert sign(secret, identity, 1_700_000_000, text.encode()) == theirs


@pytest.mark.parametrize("secret", ["whsec_", "whsec_AAAA", "whsec_no base64", f"whsec_{'A' * 100}", ""])
def test_a_secret_that_is_none(secret: str) -> None:
    """Is refused, without being repeated."""
    with pytest.raises(ValueError, match="a secret") as error:
        key_of(secret)
    assert secret in ("", "whsec_") or secret not in str(error.value)
