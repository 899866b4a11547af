"""What each failure of SMTP means for trying again."""

from __future__ import annotations

import ssl

import pytest
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPConnectTimeoutError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPReadTimeoutError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from streamapp.delivery.mail import MailInDoubt, MailRefused, MailUnavailable, _meaning
from streamapp.errors import ConfigurationError
from streamapp.settings import load_settings
from streamapp.smtp_url import SmtpAddress, parse_smtp_url

LATER, NEVER = MailUnavailable, MailRefused


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        # nobody there, or not for us: says nothing about the mail
        (ConnectionRefusedError("refused"), LATER),
        (SMTPConnectError("no route"), LATER),
        (SMTPConnectTimeoutError("slow"), LATER),
        (SMTPConnectResponseError(421, "too many"), LATER),
        (SMTPConnectResponseError(554, "you are on a list"), LATER),
        (SMTPHeloError(550, "your name does not resolve"), LATER),
        (SMTPAuthenticationError(535, "wrong password"), LATER),
        (SMTPAuthenticationError(454, "try later"), LATER),
        (SMTPSenderRefused(530, "authentication required", "a@b"), LATER),
        (SMTPSenderRefused(530, "must issue STARTTLS first", "a@b"), LATER),
        (ssl.SSLError("wrong version"), LATER),
        (ssl.SSLCertVerificationError("self-signed"), LATER),
        (SMTPException("STARTTLS not supported"), LATER),
        # about this mail
        (SMTPSenderRefused(550, "no such sender", "a@b"), NEVER),
        (SMTPSenderRefused(451, "greylisted", "a@b"), LATER),
        (SMTPRecipientsRefused([SMTPRecipientRefused(550, "no such user", "c@d")]), NEVER),
        (SMTPRecipientsRefused([SMTPRecipientRefused(450, "mailbox busy", "c@d")]), LATER),
        (SMTPRecipientsRefused([SMTPRecipientRefused(552, "mailbox full", "c@d")]), NEVER),
        (SMTPDataError(554, "spam"), NEVER),
        (SMTPDataError(552, "too large"), NEVER),
        (SMTPDataError(452, "disk full"), LATER),
        (SMTPDataError(421, "shutting down"), LATER),
        (SMTPDataError(250, "odd"), LATER),
        (ValueError("the address has a line break"), NEVER),
        # broken off before DATA
        (SMTPServerDisconnected("gone"), LATER),
        (SMTPReadTimeoutError("silent"), LATER),
        (TimeoutError(), LATER),
        (SMTPNotSupported("SMTPUTF8"), LATER),
        (SMTPResponseException(503, "bad sequence"), LATER),
    ],
)
def test_meanings(error: Exception, expected: type[Exception]) -> None:
    """I expect 5yz about the mail to be final, and everything else to be tried again."""
    assert type(_meaning(error)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SMTPServerDisconnected("gone"), MailInDoubt),
        (SMTPReadTimeoutError("silent"), MailInDoubt),
        (TimeoutError(), MailInDoubt),
        (ConnectionResetError(), MailInDoubt),
        (SMTPDataError(554, "spam"), MailRefused),  # an answer leaves no doubt
        (SMTPDataError(451, "later"), MailUnavailable),
    ],
)
def test_meanings_after_data(error: Exception, expected: type[Exception]) -> None:
    """I expect a break between the mail and its answer to be in doubt (RFC 1047), and an answer not to be."""
    in_doubt = not isinstance(error, SMTPResponseException)
    assert type(_meaning(error, in_doubt=in_doubt)) is expected


def test_reasons_can_be_stored() -> None:
    """I expect what a server says in Latin-1, or with NULs, to be text that any database takes."""
    latin = "unbekannter Empfänger".encode("latin-1").decode("utf-8", "surrogateescape")
    reason = str(_meaning(SMTPRecipientRefused(550, latin + "\0", "c@d")))
    assert reason == "550 unbekannter Empf?nger?"
    reason.encode()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", SmtpAddress("mail.example.org", 25, None, None, False, None)),
        ("smtp://mail.example.org:587?starttls=require", SmtpAddress("mail.example.org", 587, None, None, False, True)),
        ("smtp://localhost:1025?starttls=never", SmtpAddress("localhost", 1025, None, None, False, False)),
        ("smtps://mail.example.org", SmtpAddress("mail.example.org", 465, None, None, True, None)),
        ("smtp://me%40x:p%3Aw@h:1", SmtpAddress("h", 1, "me@x", "p:w", False, None)),
    ],
)
def test_urls(url: str, expected: SmtpAddress) -> None:
    """I expect each part in its place."""
    assert parse_smtp_url(url) == expected


@pytest.mark.parametrize(
    "url", ["", "mail.example.org", "http://x", "smtp://", "smtp://x:99999", "smtp://x?starttls=no", "smtp://[::1"]
)
def test_urls_that_are_none(url: str) -> None:
    """I expect one sentence that says what would be right."""
    with pytest.raises(ValueError, match="must look like smtp://"):
        parse_smtp_url(url)


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_refused_url_says_no_password(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """I expect the sentence, which may reach a log, to leave out who and with what."""
    monkeypatch.setenv("STREAMAPP_SMTP_URL", f"{scheme}me:se@cret@mail.example.org")
    with pytest.raises(ConfigurationError, match=r"_SMTP_URL: it must look .*'mail\.example\.org'") as caught:
        load_settings.__wrapped__()
    assert "cret" not in str(caught.value)


def test_a_time_that_is_up_is_told_in_words() -> None:
    """I expect what stands in the ledger and the dead letters to be no name of a class."""
    assert str(_meaning(TimeoutError())) == "the mail server did not answer in time"
