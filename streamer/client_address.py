"""Where a request comes from, as far as that can be known."""

import ipaddress

from starlette.datastructures import Headers
from starlette.types import Scope

_UNKNOWN = "unknown"
_HOME_PREFIX_BITS = 64  # of IPv6: one household has at least so many addresses


def client_address(scope: Scope, trust_proxy: bool) -> str:
    """The client's IP address; of IPv6 the network, which is one client's as a rule.

    A trusted proxy appends the address that it saw to X-Forwarded-For: only the last one counts,
    since a client can send the others itself.
    """
    client = scope.get("client")
    address = str(client[0]) if client else _UNKNOWN
    if trust_proxy:
        forwarded = Headers(scope=scope).getlist("x-forwarded-for")
        last = forwarded[-1].rsplit(",", 1)[-1].strip() if forwarded else ""
        address = last or address
    return _network(address)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return _UNKNOWN
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.is_loopback:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    if mapped is not None:
        return str(mapped)
    return str(ipaddress.ip_network((parsed, _HOME_PREFIX_BITS), strict=False))
