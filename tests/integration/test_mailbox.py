"""The mailbox speaks SMTP as any mail server does."""

from __future__ import annotations

import asyncio
import mailbox
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from streamapp.embedded.mailbox import Mailbox


async def sent(box: Mailbox, subject: str, to: str = "reader@localhost") -> None:
    """Send one message with UTF-8 in its envelope and headers."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "streamapp@localhost", to, subject
    message.set_content("Ein Wörtchen.\n.\nnach dem Punkt")
    await aiosmtplib.send(message, hostname="127.0.0.1", port=box.port)


async def test_many_at_once_are_all_there(tmp_path: Path) -> None:
    """I expect every acknowledged message in the Maildir once, and its text as it was."""
    box = await Mailbox.of_home(tmp_path, tmp_path / "mail")
    try:
        await asyncio.gather(*(sent(box, f"Nr {number} ä", f"zoë{number}@localhost") for number in range(20)))
    finally:
        await box.stop()
    messages = list(mailbox.Maildir(tmp_path / "mail", create=False))
    assert len(messages) == 20
    assert {message["Delivered-To"] is not None for message in messages} == {True}
    body = messages[0].get_payload(decode=True)
    assert isinstance(body, bytes)
    assert "nach dem Punkt" in body.decode()


async def test_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a permanent answer and nothing stored."""
    monkeypatch.setattr("streamapp.embedded.mailbox.LARGEST_BYTES", 1000)
    box = await Mailbox.of_home(tmp_path, tmp_path / "mail")
    try:
        with pytest.raises(aiosmtplib.SMTPResponseException) as caught:
            await aiosmtplib.send(
                b"Subject: x\r\n\r\n" + b"x\r\n" * 1000,
                sender="a@b",
                recipients=["c@d"],
                hostname="127.0.0.1",
                port=box.port,
            )
        assert 500 <= caught.value.code < 600
    finally:
        await box.stop()
    assert not (tmp_path / "mail").exists()
