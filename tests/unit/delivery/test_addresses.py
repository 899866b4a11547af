"""Which addresses may be called: a table, and every way to write an IPv4 address as one of IPv6."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamapp.delivery.addresses import forbidden, read_address

ALLOWED = (
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "192.167.255.255", "100.63.255.255"),
    *("100.128.0.1", "169.253.1.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:810::200e"),
    *("2400:cb00:2048:1::c629:d7a2", "2620:fe::fe"),
)
REFUSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "fd00:ec2::254": "private",
    "fc00::1": "private",
    "100.64.0.1": "shared by a carrier's customers",
    "100.100.100.200": "shared by a carrier's customers",
    "169.254.169.254": "link-local",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "168.63.129.16": "a cloud's own",
    "192.0.0.192": "reserved",
    "192.0.2.1": "for documentation",
    "198.51.100.7": "for documentation",
    "203.0.113.7": "for documentation",
    "2001:db8::1": "for documentation",
    "3fff::1": "for documentation",
    "198.18.0.1": "for benchmarks",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "ff02::1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "4000::1": "reserved",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "::ffff:0:8.8.8.8": "IPv4-translated",
    "::8.8.8.8": "IPv4-compatible",
    "64:ff9b::8.8.8.8": "IPv4 behind NAT64",
    "64:ff9b:1::8.8.8.8": "IPv4 behind NAT64",
    "2002:808:808::1": "6to4",
    "2001:0:808:808::1": "Teredo",
    "2606:4700::5efe:10.0.0.1": "ISATAP",
    "2606:4700::200:5efe:10.0.0.1": "ISATAP",
}


@pytest.mark.parametrize("text", ALLOWED)
def test_public_addresses(text: str) -> None:
    """May be called."""
    assert forbidden(ip_address(text), loopback=False) is None


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_all_others(text: str, why: str) -> None:
    """May not, and are called by what they are."""
    assert forbidden(ip_address(text), loopback=False) == why


def test_loopback_where_that_is_allowed() -> None:
    """Is let through in its plain form, and nothing else is with it."""
    let_through = {text for text in REFUSED if forbidden(ip_address(text), loopback=True) is None}
    assert let_through == {"127.0.0.1", "127.255.255.254", "::1"}
    assert forbidden(ip_address("::ffff:127.0.0.1"), loopback=True) == "IPv4-mapped"


@given(st.ip_addresses(v=4))
def test_what_python_calls_private_is_refused(address: IPv4Address) -> None:
    """Our table leaves nothing open that the standard library's closes."""
    assume(not address.is_global or address.is_multicast)
    assert forbidden(address, loopback=False) is not None


@given(st.ip_addresses(v=6))
def test_the_same_for_ipv6(address: IPv6Address) -> None:
    """Our table leaves nothing open that the standard library's closes."""
    assume(not address.is_global or address.is_multicast or address.ipv4_mapped is not None)
    assert forbidden(address, loopback=False) is not None


PRIVATE = st.one_of(
    st.sampled_from([IPv4Address(text) for text in REFUSED if ":" not in text]),
    *(st.ip_addresses(network=block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")),
    *(st.ip_addresses(network=block) for block in ("169.254.0.0/16", "100.64.0.0/10")),
)


@given(PRIVATE, st.integers(0, 2**16 - 1), st.integers(0, 2**64 - 1), st.booleans())
def test_any_ipv6_form_of_a_private_ipv4(address: IPv4Address, net: int, rest: int, loopback: bool) -> None:
    """Is refused, whatever else is in it, also where loopback is allowed."""
    four = int(address)
    forms = {
        "mapped": (0xFFFF << 32) | four,
        "translated": (0xFFFF << 48) | four,
        "compatible": four,
        "6to4": (0x2002 << 112) | (four << 80) | (net << 64) | rest,
        "NAT64": (0x0064FF9B << 96) | four,
        "NAT64, local": (0x0064FF9B0001 << 80) | ((net << 32 | rest >> 48) << 32) | four,
        "Teredo server": (0x20010000 << 96) | (four << 64) | rest,
        "Teredo client": (0x20010000 << 96) | (rest << 32) | (four ^ 0xFFFFFFFF),
        "ISATAP": (0x2606_4700 << 96) | (net << 64) | (0x5EFE << 32) | four,
        "ISATAP, universal": (0x2606_4700 << 96) | (net << 64) | (0x0200_5EFE << 32) | four,
    }
    assume(four not in (0, 1))  # as compatible ones they are :: and ::1 themselves
    let_through = [name for name, value in forms.items() if forbidden(IPv6Address(value), loopback=loopback) is None]
    assert let_through == []


@pytest.mark.parametrize("text", ["fe80::1%eth0", "127.1", "0x7f000001", "2130706433", "127.0.0.01", "a", "", "[::1]"])
def test_what_is_no_plain_address(text: str) -> None:
    """Is not taken for one."""
    assert read_address(text) is None
