"""Fetch a customer's key set from its URL, without becoming its way into our network.

The name is resolved here, every address is checked, and the connection goes to the address that was checked, so that a
name which answers differently the second time (DNS rebinding) gains nothing. https only, no redirects, no proxy, small
answers, a few seconds. ASVS 1.3.6, 15.3.2.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

from control_plane.keys.public_keys import MAX_BYTES
from kernel.errors import InvalidInput

SECONDS: Final = 5.0
Address = IPv4Address | IPv6Address
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether it is an address of the internet, and not of this machine, its networks, or a cloud's metadata."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and (address.teredo is not None or address in _NAT64):
        return False
    return address.is_global and not address.is_multicast


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and for how many seconds its server says that it holds; `None` where it does not say."""

    text: str
    max_age: float | None = None


class JwksFetcher:
    """Fetches key sets. `permitted` judges addresses; a test permits its own machine."""

    def __init__(
        self, *, permitted: Callable[[Address], bool] = is_public, context: ssl.SSLContext | None = None
    ) -> None:
        self._permitted = permitted
        self._context = context

    async def fetch(self, url: str) -> str:
        """The document at the URL alone; otherwise as `fetch_fresh`."""
        return (await self.fetch_fresh(url)).text

    async def fetch_fresh(self, url: str) -> Fetched:
        """The document at the URL. Raises `InvalidInput` for `jwks_url` that says what is wrong, and no more."""
        try:
            parts = urlsplit(url)
            good = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and url.isascii()
            _ = parts.port
        except ValueError:
            good = False
        if not good or len(url) > 500 or any(ord(char) <= 32 for char in url):
            raise _bad("must be an https address, such as https://login.example.com/.well-known/jwks.json")
        try:
            async with asyncio.timeout(SECONDS):
                return await self._get(url)
        except (TimeoutError, httpcore.TimeoutException):
            raise _bad("did not answer in time") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            raise _bad("cannot be reached, or has no valid certificate") from None
        except UnicodeDecodeError:
            raise _bad("holds no text") from None

    async def _get(self, url: str) -> Fetched:
        context = self._context or ssl.create_default_context()
        backend = _CheckedNetwork(self._permitted)
        async with (
            httpcore.AsyncConnectionPool(ssl_context=context, network_backend=backend, max_connections=1) as pool,
            pool.stream("GET", url, headers={"accept": "application/json", "user-agent": "natter-jwks"}) as response,
        ):
            if response.status != 200:
                raise _bad(f"answers with {response.status}; redirects are not followed")
            held = bytearray()
            async for chunk in response.aiter_stream():
                held += chunk
                if len(held) > MAX_BYTES:
                    raise _bad("is too long")
            return Fetched(held.decode(), _max_age(response.headers))


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves names itself and connects to an address that it has checked."""

    def __init__(self, permitted: Callable[[Address], bool]) -> None:
        self._permitted = permitted
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise _bad("has a host that is not known") from None
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        # All of them: one that leads inside shows what the name is for.
        if not addresses or not all(map(self._permitted, addresses)):
            raise _bad("leads to a machine that is not on the internet")
        return await self._inner.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)


def _max_age(headers: list[tuple[bytes, bytes]]) -> float | None:
    """By `Cache-Control` (RFC 9111); 0 for what must not be kept."""
    said = b",".join(value for name, value in headers if name.lower() == b"cache-control").decode("latin-1").lower()
    for directive in said.split(","):
        name, _, value = directive.strip().partition("=")
        if name in ("no-store", "no-cache"):
            return 0.0
        if name == "max-age" and value.strip('"').isdigit():
            return float(value.strip('"')[:12])
    return None


def _bad(what: str) -> InvalidInput:
    return InvalidInput(f"`jwks_url` {what}.", field="jwks_url")
