"""The socket's events do what REST does."""

import msgspec
import pytest

from data_plane.messages.errors import MessageDeleted, MessagePurged
from data_plane.messages.socket import socket_routes


async def test_packets_edit_and_delete(app, world):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    message, _, _ = await app.send("den", "ann")
    routes = {route.event: route for route in socket_routes(world.shard)}
    assert set(routes) == {"message.update", "message.delete", "message.restore", "message.hide"}

    async def emit(event, user, **payload):
        route = routes[event]
        return await route.handle(app.user(user), msgspec.convert(payload, route.payload))

    assert (await emit("message.update", "ann", id=message, text="hi"))["message"]["text"] == "hi"
    assert (await emit("message.delete", "ann", id=message))["message"]["deleted_at"] is not None
    with pytest.raises(MessageDeleted):
        await emit("message.update", "ann", id=message, text="again")
    assert (await emit("message.restore", "ann", id=message))["message"]["deleted_at"] is None
    assert (await emit("message.update", "ann", id=message, set={"a": 1}))["message"]["custom"] == {"a": 1}
    assert (await emit("message.delete", "ann", id=message, hard=True))["message"]["purged"]
    with pytest.raises(MessagePurged):
        await emit("message.restore", "ann", id=message)
    with pytest.raises(msgspec.ValidationError):
        await emit("message.delete", "ann", id=message, extra=1)
    told = ["created", "updated", "deleted", "restored", "updated", "deleted"]
    assert (await app.types("c:den"))[-6:] == [f"message.{what}" for what in told]
