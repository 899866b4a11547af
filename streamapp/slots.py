"""A stable name for each worker, so that one that restarts is known to the group as the same member (KIP-345).

Two workers with one instance id evict each other for ever, so the name says all that tells workers apart: the host, the
home (a random id that is kept in it), the role, and the first number whose file nobody in that home has locked; the
lock goes with the process, however it ends. Only a home that is copied or shared can bring a name twice; see
`streamapp.membership`.

A static member that is back before its session ends is given what it had, without a look at what it asks for now. One
that reads other topics, or has another address (which Faust compares), would be given nothing new or break for good. So
the name says that as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import uuid
from collections.abc import Iterable
from pathlib import Path

from streamapp.errors import ConfigurationError

__all__ = ["HOME_ID", "home_id", "instance_id", "reading", "take_slot"]

SLOTS = 256
HOME_ID = "home-id"
_held: dict[tuple[Path, str], tuple[int, int]] = {}


def instance_id(folder: Path, role: str) -> str:
    """This process's name in the consumer group: the same again for the worker that takes its place after a restart.

    Raises `ConfigurationError` when all slots of the folder are taken.
    """
    return f"{socket.gethostname()}-{home_id(folder)}-{role}-{take_slot(folder, role)}"


def reading(instance: str, address: str, topics: Iterable[str]) -> str:
    """The name of a worker that reads these topics: another set of them is another member."""
    asked_for = "\n".join([address, *sorted(topics)])
    return f"{instance}-{hashlib.sha256(asked_for.encode()).hexdigest()[:8]}"


def home_id(folder: Path) -> str:
    """The id of the home that the folder belongs to: random, made by whoever asks first, 12 hexadecimal digits.

    Raises `ConfigurationError` for a home that can't be written.
    """
    descriptor = _opened(folder / HOME_ID)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # the workers of a home start together
        found = os.read(descriptor, 64).decode("ascii", "replace")
        if re.fullmatch("[0-9a-f]{12}", found):
            return found
        made = uuid.uuid4().hex[:12]  # it is new, or a crash left it half written
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, made.encode(), 0)
        os.fsync(descriptor)
        return made
    finally:
        os.close(descriptor)


def take_slot(folder: Path, role: str) -> int:
    """The first free slot of that role, held until the process ends; the same one when asked again.

    Raises `ConfigurationError` when all are taken, and for a home that can't be written.
    """
    if (folder, role) in _held:
        return _held[folder, role][0]
    for slot in range(SLOTS):
        descriptor = _opened(folder / f"{role}-{slot}.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _held[folder, role] = (slot, descriptor)
        return slot
    raise ConfigurationError(f"All {SLOTS} worker slots in {folder} are taken: that many workers share one home.")


def _opened(file: Path) -> int:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        said = f"{file.parent} can't be written ({error.strerror}): set STREAMAPP_HOME to a folder that can."
        raise ConfigurationError(said) from error
