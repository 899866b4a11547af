"""Which addresses a webhook may go to: those of the public internet, written plainly, and no other.

Who may name a URL could otherwise have the worker call what only the worker can reach: itself, its neighbours, the
cloud's metadata (server-side request forgery; OWASP's cheat sheet of that name). Of IPv4 everything is refused that
IANA's registry of special-purpose addresses (RFC 6890) does not call global; of IPv6 everything outside 2000::/3, and
in there whatever carries an IPv4 address or is set apart. An IPv6 address that carries an IPv4 one is refused whatever
it carries: a host that has an IPv4 address is reached by that.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Address", "forbidden", "read_address"]

Address = IPv4Address | IPv6Address

# the first that holds the address says why; source: the registries of IANA as of 2025, and the clouds' manuals
REFUSED: tuple[tuple[IPv4Network | IPv6Network, str], ...] = tuple(
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier's customers"),  # and a cloud's metadata, 100.100.100.200
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own"),  # Azure's, seen from each of its machines
        ("169.254.0.0/16", "link-local"),  # and most clouds' metadata, 169.254.169.254
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),  # and a cloud's metadata, 192.0.0.192
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b::/96", "IPv4 behind NAT64"),
        ("64:ff9b:1::/48", "IPv4 behind NAT64"),
        ("fc00::/7", "private"),  # and a cloud's metadata, fd00:ec2::254
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "for documentation"),
    )
)
UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is given to anybody
ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214, 6.1: the third quarter of an address whose fourth is an IPv4 address


def read_address(text: str) -> Address | None:
    """The address that is written here in full; None for a name, and for an address with a zone (``fe80::1%eth0``)."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def forbidden(address: Address, *, loopback: bool) -> str | None:
    """Why an address is refused, in a word or two that fit behind "it is"; None for one that may be called.

    With `loopback` that of this machine is let through, plainly written: 127.0.0.0/8 and ::1.
    """
    why = next((why for network, why in REFUSED if address in network), None)
    if why == "loopback" and loopback:
        return None
    if why is not None or isinstance(address, IPv4Address):
        return why
    if address not in UNICAST:
        return "reserved"
    return "ISATAP" if (int(address) >> 32) & 0xFFFFFFFF in ISATAP else None
