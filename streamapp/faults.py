"""Fail points: places where a process can be made to die, so that a test can show what a crash there does.

Before and after every write to the store, every send to a topic and every hand-over of a mail there is a point with a
name. It does nothing, unless the variable STREAMAPP_FAULTS names a folder: then a file of the point's name in it is a
crash that is due, and the first process that comes by takes the file away and kills itself with SIGKILL, as a power cut
or the kernel would, without a word to anybody. The names, with ``<topic>`` as the broker knows it:

- ``store.before.<function>`` and ``store.after.<function>``: a write transaction, by the function that writes;
- ``send.before.<topic>`` and ``send.after.<topic>``: a send that waits for the broker's ack;
- ``mail.before`` and ``mail.after``: the SMTP conversation; ``webhook.before`` and ``webhook.after``: a webhook's post;
  ``blob.before`` and ``blob.after``: a document's storing.

Source: the idea is that of fail(9) of FreeBSD.
"""

from __future__ import annotations

import os
import signal

__all__ = ["VARIABLE", "cross"]

VARIABLE = "STREAMAPP_FAULTS"

_folder = os.environ.get(VARIABLE)


def cross(point: str) -> None:
    """Come by a point; die there when a crash is due."""
    if _folder is None:
        return
    try:
        os.unlink(os.path.join(_folder, point))  # one process only gets it
    except OSError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
