"""The mail server of both pipelines: it keeps nothing of a mail but its recipient and when it was there.

Usage: python -m benchmarks.sidecars.mail_sink PORT FILE. A line a mail: seconds of the system's monotonic clock, which
all processes of a machine share, and the recipient.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from pathlib import Path
from typing import IO

from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["main"]

LARGEST_BYTES = 64 * 1024 * 1024


class Arrivals:
    """aiosmtpd's handler."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Note the mail and take it."""
        self._file.writelines(f"{time.monotonic():.6f} {recipient}\n" for recipient in envelope.rcpt_tos)
        self._file.flush()
        return "250 2.0.0 Ok"


async def main(port: int, path: Path) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    with path.open("w", encoding="utf-8") as file:
        conversation = functools.partial(
            SMTP, Arrivals(file), data_size_limit=LARGEST_BYTES, hostname="localhost", loop=loop
        )
        server = await loop.create_server(conversation, "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
