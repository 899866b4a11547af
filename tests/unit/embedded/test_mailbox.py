"""What is put into the mailbox is the message, with its envelope on top."""

from __future__ import annotations

import mailbox
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from streamapp.embedded.mailbox import Mailbox, deliver, traced


def envelope(content: bytes = b"Subject: x\r\n\r\nbody\r\n", sender: str = "a@b") -> Envelope:
    """An envelope as aiosmtpd hands it over."""
    it = Envelope()
    it.mail_from, it.rcpt_tos, it.original_content = sender, ["reader@localhost", "zoë@localhost"], content
    return it


def test_delivered_whole(tmp_path: Path) -> None:
    """I expect one file in new, none in tmp, and any mail reader to open it."""
    path = deliver(tmp_path / "mail", traced(envelope()))
    assert path.parent == tmp_path / "mail" / "new"
    assert list((tmp_path / "mail" / "tmp").iterdir()) == []
    (message,) = mailbox.Maildir(tmp_path / "mail", create=False)
    assert message["Subject"] == "x"
    assert message["Return-Path"] == "<a@b>"
    assert path.read_bytes().endswith(b"\n\nbody\n")


def test_an_address_adds_no_header() -> None:
    """I expect line breaks in an envelope to be dropped."""
    assert b"Bcc" not in traced(envelope(sender="a@b>\r\nBcc: c")).split(b"\r\n")[1]
    assert traced(envelope(sender="a@b>\r\nBcc: c")).startswith(
        b"Return-Path: <a@b>Bcc: c>\r\nDelivered-To: reader@localhost"
    )


async def test_a_full_disk_is_a_transient_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect 4xx, so that the sender tries again, and never 250."""

    def full(folder: Path, content: bytes) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streamapp.embedded.mailbox.deliver", full)
    box = Mailbox(tmp_path, 0)
    answer = await box.handle_DATA(SMTP.__new__(SMTP), Session.__new__(Session), envelope())
    assert answer.startswith("452 ")
    await box.stop()
