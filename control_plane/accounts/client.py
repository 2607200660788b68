"""Where a request comes from."""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of a request: what throttles count by and what the list of sessions shows."""

    ip: str
    user_agent: str = ""
    request_id: str | None = None

    @property
    def network(self) -> str:
        """What one person has at least: an IPv4 address, or the /64 that an IPv6 address lies in."""
        try:
            address = ipaddress.ip_address(self.ip)
        except ValueError:
            return self.ip
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is not None:
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)
