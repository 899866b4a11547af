"""One e-mail address in one line, with its name or without: what mail goes to, and what a deployment sends as.

The addresses that come with jobs are checked more strictly where they come in; this is what a mail can be made of.
"""

from __future__ import annotations

import re
from email.utils import getaddresses

__all__ = ["one_mailbox"]

BROKEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SPECIAL = re.compile(r"[\s,;<>()]")


def one_mailbox(text: str, *, named: bool = False) -> tuple[str, str, str]:
    """Its name ("" without one), what is before its @, and its domain in ASCII (RFC 5890), because relays look that up.

    `named`: it may have a name, as in ``Name <local@domain>`` (RFC 5322, 3.4). Raises ValueError.
    """
    found = (named and getaddresses([text])) or [("", text.strip())]
    name, address = found[0]
    local, _, domain = address.rpartition("@")
    if len(found) != 1 or not local or not domain or BROKEN.search(text.strip()) or SPECIAL.search(address):
        raise ValueError("not one address in one line")
    return name, local, domain.encode("idna").decode("ascii")
