"""A TCP proxy that breaks connections where a test says: it passes half of a mark on, and then resets the client."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, with RST


class CuttingProxy:
    """Stands before one worker. Each of the `marks` is used up by the first answer that holds it.

    `asked` is all that clients have sent, `cuts` how many connections were broken. Use it as a context manager.
    """

    def __init__(self, worker: str, *marks: bytes) -> None:
        self._worker = urlsplit(worker)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.marks = list(marks)
        self.cuts = 0
        self.asked = b""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in list(self._open):
            _end(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            worker = socket.create_connection((self._worker.hostname or "", self._worker.port or 0))
        except OSError:
            client.close()
            return
        self._open |= {client, worker}
        asking = threading.Thread(target=self._ask, args=(client, worker), daemon=True)
        asking.start()
        with suppress(OSError):
            while (answer := worker.recv(65536)) and self._pass(answer, client):
                pass
        _end(client)
        _end(worker)
        asking.join()
        self._open -= {client, worker}
        client.close()
        worker.close()

    def _ask(self, client: socket.socket, worker: socket.socket) -> None:
        with suppress(OSError):
            while request := client.recv(65536):
                self.asked += request
                worker.sendall(request)
        _end(worker)

    def _pass(self, answer: bytes, client: socket.socket) -> bool:
        """Whether the connection stays."""
        with self._lock:
            found = min(((answer.find(mark), mark) for mark in self.marks if mark in answer), default=None)
            if found is not None:
                self.marks.remove(found[1])
                self.cuts += 1
        if found is None:
            client.sendall(answer)
            return True
        place, mark = found
        client.sendall(answer[: place + len(mark) // 2])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return False


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
