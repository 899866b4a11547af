"""Ports: which are free, who has one that is not, and which a home used last time.

A home keeps its ports in ``ports.json``, so that an address shown yesterday works today. One that somebody else took
meanwhile is replaced.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
from contextlib import closing
from pathlib import Path

import psutil

from streamapp.errors import ConfigurationError

__all__ = ["choose", "free_port", "holder", "is_free", "local_broker", "local_smtp_url", "remembered"]

logger = logging.getLogger(__name__)

BUSY = {errno.EADDRINUSE, errno.EACCES}  # EACCES: a port below 1024


def is_free(host: str, port: int) -> bool:
    """Whether this process could listen on host:port now. Raises OSError for a host that is not of this machine."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with closing(socket.socket(family, kind, protocol)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT does not count
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno not in BUSY:
                raise
            return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment, chosen by the system."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> str | None:
    """Who listens on that port, as "name (process 123)"; None when this user may not know."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.AccessDenied, OSError):
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                return f"process {connection.pid}"
    return None


def remembered(home: Path, name: str) -> int | None:
    """The port that `name` used last in this home, or None."""
    value = _read(home).get(name)
    return value if type(value) is int and 0 < value < 65536 else None


def choose(home: Path, name: str, preferred: int) -> int:
    """The port for `name`: last time's, else the preferred one, else any; free now, and written down in the home."""
    for candidate in (remembered(home, name), preferred):
        if candidate is not None and is_free("127.0.0.1", candidate):
            break
    else:
        candidate = free_port()
    ports = {**_read(home), name: candidate}
    draft = home / "ports.json.new"
    draft.write_text(json.dumps(ports, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(draft, home / "ports.json")
    return candidate


def _read(home: Path) -> dict[str, object]:
    try:
        ports = json.loads((home / "ports.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("remembered ports unreadable, chosen anew", extra={"home": str(home), "error": repr(error)})
        return {}
    return ports if isinstance(ports, dict) else {}


def local_broker(home: Path) -> str | None:
    """The address of this home's own broker, if it listens now."""
    port = remembered(home, "broker")
    return f"127.0.0.1:{port}" if port is not None and not is_free("127.0.0.1", port) else None


def local_smtp_url(home: Path) -> str:
    """Where the local mailbox of this home listens. Raises `ConfigurationError` when `streamapp up` never ran there."""
    port = remembered(home, "mailbox")
    if port is None:
        raise ConfigurationError(
            f"STREAMAPP_SMTP_URL is not set, and {home} has no local mailbox: name a mail server "
            "(smtp://user:password@host:port), or use `streamapp up`, which starts a mailbox."
        )
    return f"smtp://127.0.0.1:{port}"
