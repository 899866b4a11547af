"""Answers the calls that `up` makes and sends one e-mail, so that `up` is tested without the pipeline behind it."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit


class Handler(BaseHTTPRequestHandler):
    """A job that is done after a few looks at it."""

    looks: ClassVar[int] = 0

    def do_GET(self) -> None:
        """Readiness, the list, the job."""
        type(self).looks += 1
        path = urlsplit(self.path).path
        if path == "/readyz":
            self.answer(200 if self.looks > 3 else 503, {"detail": "the model is loading"})
        elif path == "/v1/jobs":
            self.answer(200, {"items": [{}], "next": None})
        else:
            self.answer(200, self.job(done=self.looks > 8))

    def do_POST(self) -> None:
        """A new job."""
        self.rfile.read(int(self.headers["Content-Length"]))
        server = urlsplit(os.environ["STREAMAPP_SMTP_URL"])
        with smtplib.SMTP(server.hostname or "", server.port or 0) as smtp:
            smtp.sendmail("a@localhost", "reader@localhost", "Subject: It is done\r\n\r\nfoo\r\n")
        self.answer(202, self.job(done=False), Location="/v1/jobs/1")

    def job(self, done: bool) -> dict[str, Any]:
        """The job's resource."""
        return {
            "id": "1",
            "status": "succeeded" if done else "running",
            "progress": {"done": self.looks, "total": 9},
            "report": {"subject": "The story", "text": "Its [summary]."} if done else None,
            "deliveries": [{"kind": "email", "state": "sent" if done else "pending"}],
        }

    def answer(self, status: int, body: object, **headers: str) -> None:
        """Send JSON."""
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    if os.environ.get("STAND_IN") == "refuses":
        sys.stderr.write("streamapp: STREAMAPP_DEVICE: there is no such device\n")
        sys.exit(78)
    subprocess.Popen(["sleep", "600"])  # as a worker has its model worker
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["STREAMAPP_WEB_PORT"])), Handler).serve_forever()
