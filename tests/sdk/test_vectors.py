"""The recorded sessions in `sdk/protocol/vectors` are what real nodes say, and end where a fresh reader is.

`NATTER_TEST_RECORD=1` writes them anew.
"""

import copy
import os
from typing import Any

import orjson
import pytest

from data_plane.sync.cursor import Cursor
from ops.reference.protocol import VECTORS
from tests.clients.installation import Tenant
from tests.clients.test_examples import shape
from tests.sdk import sessions
from tests.sdk.recorder import Recorder, replayed
from tests.sdk.sessions import SESSIONS, Session

RECORD = bool(os.environ.get("NATTER_TEST_RECORD"))
sessions.STRANGE_CURSOR = Cursor("s9", "elsewhere", 1).encode()


async def _record(name: str, play: Session, tenant: Tenant, urls: list[str]) -> dict[str, Any]:
    await tenant.post("/v1/users", users=[{"id": id, "name": id.title()} for id in ("ada", "bob", "cid")])
    for id, type, users in (("den", "group", ["bob"]), ("lab", "team", ["bob", "cid"])):
        await tenant.post("/v1/channels", id=id, type=type, name=id.title(), members=users, user_id="ada")
    await tenant.post("/v1/channels", id="show", type="livestream", members=["bob"])
    me = Recorder("ada", tenant.token("ada"), urls, tenant.http)
    await me.begin()
    try:
        await play(me, tenant)
        after = await me.after()
    finally:
        if me.connected:
            await me.disconnect()
    steps = me.steps[:-1]  # that it went
    return {"name": name, "about": (play.__doc__ or "").strip(), **me.start, "steps": steps, "after": after}


@pytest.mark.parametrize("name", SESSIONS)
async def test_a_session_is_as_it_was_recorded(name: str, tenant: Tenant, urls: list[str]) -> None:
    vector = orjson.loads(orjson.dumps(await _record(name, SESSIONS[name], tenant, urls)))
    assert replayed(vector) == vector["after"]
    path = VECTORS / f"{name}.json"
    if RECORD:
        path.write_bytes(orjson.dumps(vector, option=orjson.OPT_INDENT_2) + b"\n")
    recorded = orjson.loads(path.read_bytes())
    assert _words(recorded) == _words(vector), "record it anew: NATTER_TEST_RECORD=1"
    assert shape(recorded["user"]) == shape(vector["user"])
    assert replayed(recorded) == recorded["after"]


def _words(vector: dict[str, Any]) -> dict[str, Any]:
    """What is the same in every run: which events come, and how often. How they fall between answers is chance, and so
    is how often those in passing come."""
    passing = ("presence.", "receipts.", "watchers.", "typing.", "sync.cursor", "profile.")
    heard = [step["heard"] for step in vector["steps"] if "heard" in step]
    return {
        "heard": sorted(event for event in heard if not event.startswith(passing)),
        "calls": [step["event"] for step in vector["steps"] if "call" in step],
        "after": {name: sorted(value) for name, value in vector["after"].items() if name != "messages"},
    }


def test_every_file_has_its_session() -> None:
    assert {path.stem for path in VECTORS.glob("*.json")} == set(SESSIONS)


def test_a_session_that_ends_elsewhere_would_be_noticed() -> None:
    vector = orjson.loads((VECTORS / "messages.json").read_bytes())
    last = max(index for index, step in enumerate(vector["steps"]) if step.get("heard") == "message.deleted")
    planted = copy.deepcopy(vector)
    del planted["steps"][last]
    assert replayed(planted) != vector["after"]
