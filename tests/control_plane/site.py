"""A web site over TLS on this machine, for whatever fetches documents from addresses that others name."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from control_plane.keys.jwks_url import JwksFetcher
from tests.control_plane.mail.post_office import make_certificate


@dataclass
class Site:
    """A web site over TLS that answers as a test wishes, whoever asks."""

    port: int
    context: ssl.SSLContext
    answer: bytes = b""
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/jwks.json"

    @property
    def fetcher(self) -> JwksFetcher:
        """One that trusts the site and is let to this machine."""
        return JwksFetcher(permitted=anywhere, context=self.context)

    def says(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers))
        self.answer = f"{head}\r\n".encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def anywhere(_: object) -> bool:
    return True


@asynccontextmanager
async def site_in(folder: Path) -> AsyncIterator[Site]:
    """The site, until the block ends; its certificate lies in the folder."""
    both, alone = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(alone)
    site = Site(0, trusting)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()
