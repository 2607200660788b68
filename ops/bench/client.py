"""A client that costs little: Engine.IO 4 text frames over picows, one object a connection, no task a packet."""

import asyncio
import time
from typing import Any

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect


class Client(WSListener):
    """One authenticated socket that counts what it hears."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.delivered = 0
        self.latencies: list[float] = []
        """Seconds from the send to the delivery, of messages that carry their time as text."""

    @classmethod
    async def connect(cls, url: str, token: str) -> "Client":
        """Open and authenticate."""
        target = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        client = cls(token)
        await ws_connect(lambda: client, target)
        await asyncio.wait_for(client.ready, 30)
        return client

    def on_ws_connected(self, transport: WSTransport) -> None:
        """picows: the WebSocket is open."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """picows: a frame arrived."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        data: bytes = frame.get_payload_as_bytes()
        if data[:1] == b"2":
            transport.send(WSMsgType.TEXT, b"3")
        elif data[:1] == b"0":
            transport.send(WSMsgType.TEXT, b"40" + orjson.dumps({"token": self._token}))
        elif data[:2] == b"43":
            at = data.index(b"[")
            self._acks.pop(int(data[2:at])).set_result(orjson.loads(data[at:])[0])
        elif data.startswith(b'42["message.created"'):
            self.delivered += 1
            sent = orjson.loads(data[2:])[1]["data"]["message"]["custom"].get("sent")
            if sent is not None:
                self.latencies.append(time.monotonic() - sent)
        elif data.startswith(b'42["connection.ready"') and not self.ready.done():
            self.ready.set_result(None)
        elif data[:2] == b"44" and not self.ready.done():
            self.ready.set_exception(RuntimeError(data.decode()))

    async def call(self, event: str, payload: dict[str, Any]) -> Any:
        """Send an event and wait for its acknowledgement."""
        self._next += 1
        future = self._acks[self._next] = asyncio.get_running_loop().create_future()
        self._transport.send(WSMsgType.TEXT, b"42%d" % self._next + orjson.dumps([event, payload]))
        return await future

    def close(self) -> None:
        """Hang up."""
        self._transport.disconnect()
