"""Ask a server on this machine whether it is ready, with nothing but a socket."""

import asyncio
from urllib.parse import urlsplit


async def http_status(url: str, *, within: float = 2.0) -> int | None:
    """The status that GET answers with; `None` when nobody answers `within` so many seconds."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                host = parts.netloc.rpartition("@")[2]
                writer.write(f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
