"""A TCP line between a client and a node that a test can cut, as networks do."""

import asyncio
import contextlib


class Line:
    """Listens on `url` and passes everything on to `target` port, `delay` seconds later.

    `cut` ends all and refuses; `mend` allows again.
    """

    def __init__(self, target: int, delay: float = 0) -> None:
        self.target = target
        self.delay = delay
        self.url = ""
        self._whole = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> "Line":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        return self

    def cut(self) -> None:
        """Every connection breaks; new ones do too."""
        self._whole = False
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self, target: int | None = None) -> None:
        """Connections are possible again, to another node if one is named."""
        self._whole = True
        self.target = target or self.target

    async def stop(self) -> None:
        assert self._server is not None
        self.cut()
        self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # they end by themselves, now that all is cut

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._whole:
            writer.transport.abort()
            return
        there, back = await self._connect()
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))
        finally:
            self._writers -= {writer, back}
            for end in (writer, back):
                end.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.target)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await reader.read(65_536):
                await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(ConnectionError, OSError):
            writer.close()
