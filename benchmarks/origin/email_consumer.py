"""The e-mail process: messages are handed to four threads, each mail is a connection of its own."""

from __future__ import annotations

import base64
import smtplib
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

from benchmarks.origin import EMAIL
from benchmarks.origin.config import MAIL_FROM, SMTP, consumer, say_ready

__all__ = ["main"]

THREADS = 4


def message_of(record: dict[str, Any]) -> EmailMessage:
    """Plain text, HTML where there is some, and the plot inside the HTML."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = MAIL_FROM, record["to"], record["subject"]
    message.set_content(record["text"])
    if record["html"]:
        plot = make_msgid()
        message.add_alternative(f'{record["html"]}<p><img src="cid:{plot[1:-1]}"></p>', subtype="html")
        if record["plot"]:
            html = message.get_payload()[1]  # type: ignore[index]  # a multipart has a list of parts
            html.add_related(base64.b64decode(record["plot"]), "image", "png", cid=plot)  # type: ignore[union-attr]
    return message


def send(record: dict[str, Any]) -> None:
    """One mail."""
    host, port = SMTP
    with smtplib.SMTP(host, port) as server:
        server.send_message(message_of(record))


def main() -> None:
    """Run until killed."""
    reader = consumer(EMAIL)
    say_ready(reader)
    with ThreadPoolExecutor(THREADS) as pool:
        for message in reader:
            pool.submit(send, message.value)


if __name__ == "__main__":
    main()
