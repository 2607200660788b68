"""The recorded sessions of `sdk/protocol/vectors`, which every SDK replays, through the realtime client."""

import json
from pathlib import Path
from typing import Any

import pytest

from natter import models
from natter.realtime import RealtimeClient, RealtimeEvent
from tests.sdk.python.test_routes import unknown_fields

PROTOCOL = Path(__file__).parents[3] / "sdk" / "protocol"
VECTORS = sorted((PROTOCOL / "vectors").glob("*.json"))


def replay(vector: dict[str, Any]) -> list[RealtimeEvent]:
    """What `events()` would give of a session."""
    chat = RealtimeClient("http://nowhere", "no token")
    for step in vector["steps"]:
        if "heard" in step:
            chat._hear(step["heard"], step["payload"])
    items = [chat._queue.get_nowait() for _ in range(chat._queue.qsize())]
    return [item for item in items if isinstance(item, RealtimeEvent)]


def places(vector: dict[str, Any]) -> list[tuple[str, str | None, int]]:
    """The places in logs that a session has events of, each once, in the order in which they came first."""
    heard = [step for step in vector["steps"] if "heard" in step and step["payload"].get("seq") is not None]
    named = [(step["heard"], step["payload"]["channel_id"], step["payload"]["seq"]) for step in heard]
    return list(dict.fromkeys(named))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_each_event_of_a_session_is_given_once_and_known_to_the_letter(path: Path) -> None:
    vector = json.loads(path.read_text())
    events = replay(vector)
    given = [(event.type, event.channel_id, event.seq) for event in events if event.seq is not None]
    assert given == places(vector)
    assert unknown_fields(events) == []
    assert unknown_fields([event.message for event in events if "message" in event.data]) == []
    after = vector["after"]
    assert unknown_fields([models.Channel.from_dict(channel) for channel in after["channels"].values()]) == []
    said = [message for of in after["messages"].values() for message in of.values()]
    assert unknown_fields([models.Message.from_dict(message) for message in said]) == []


def test_there_are_sessions_to_replay() -> None:
    assert bool(VECTORS) == PROTOCOL.exists()


def test_an_event_that_came_twice_would_be_noticed() -> None:
    event = {"type": "message.created", "channel_id": "den", "seq": 4, "data": {}}
    steps = [{"heard": "message.created", "payload": {**event, "seq": seq}} for seq in (4, 5, 4, 5, 6)]
    assert [event.seq for event in replay({"steps": steps})] == [4, 5, 6]
    assert [seq for _, _, seq in places({"steps": steps})] == [4, 5, 6]
