"""Every route of the API is a method, and every method does against a node what it says."""

import dataclasses
import inspect
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data_plane.reference import openapi_document
from natter import AsyncNatter, Natter, models, new_message_id, resources
from natter._model import Model
from natter._operation import Call, Operation
from ops.reference.python_sdk import python_sdk
from ops.reference.python_sdk.routes import route_of
from portal.app import create_app
from tests.clients.installation import Tenant
from tests.control_plane.conftest import world  # noqa: F401 - a fixture
from tests.control_plane.fixtures import World, bearer
from tests.data_plane.node import Serve, serve  # noqa: F401 - a fixture

LATER = datetime(2126, 1, 1, tzinfo=UTC)


def operations() -> dict[str, Operation[Any]]:
    """All that the resources hold, by id."""
    modules = [module for module in vars(resources).values() if inspect.ismodule(module)]
    every = [value for module in modules for value in vars(module).values() if isinstance(value, Operation)]
    return {operation.name: operation for operation in every}


def documented() -> dict[str, tuple[str, str]]:
    """All that the document tells of: `(method, path)` by id."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, item in json.loads(openapi_document())["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    }


def unknown_fields(value: Any) -> list[str]:
    """Fields that the node says and the models do not know."""
    if isinstance(value, Model):
        own = [f"{type(value).__name__}.{name}" for name in value.extra]
        return own + [
            found for item in dataclasses.fields(value) for found in unknown_fields(getattr(value, item.name))
        ]
    if isinstance(value, list):
        return [found for item in value for found in unknown_fields(item)]
    return []


def test_the_sdk_has_each_route_of_the_document_and_no_other() -> None:
    assert {name: (known.method, known.path) for name, known in operations().items()} == documented()


def test_the_generated_files_are_as_the_generator_would_write_them() -> None:
    stale = [path.name for path, text in python_sdk().items() if not path.exists() or path.read_text() != text]
    assert not stale, f"run `make reference` and commit {stale}"


def test_a_route_without_a_name_stops_the_generator() -> None:
    with pytest.raises(KeyError, match="inventThings has no name in the Python SDK"):
        route_of("inventThings", "post", "/v1/things", {}, {}, frozenset())


def test_both_clients_have_the_same_methods() -> None:
    for name in vars(resources.Resources):
        if not name.startswith("_"):
            blocking = getattr(resources, "".join(part.capitalize() for part in name.split("_")))
            awaited = getattr(resources, f"Async{blocking.__name__}")
            assert [method for method in vars(blocking) if method[0] != "_"] == [
                method for method in vars(awaited) if method[0] != "_"
            ]


class Watch:
    """Notes what was called and what came, at the place where all calls pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.called: set[str] = set()
        self.unknown: list[str] = []
        blocking, awaited, note = Natter.call, AsyncNatter.call, self._note

        def call(client: Natter, call: Call[Any]) -> Any:
            return note(call, blocking(client, call))

        async def acall(client: AsyncNatter, call: Call[Any]) -> Any:
            return note(call, await awaited(client, call))

        monkeypatch.setattr(Natter, "call", call)
        monkeypatch.setattr(AsyncNatter, "call", acall)

    def _note(self, call: Call[Any], result: Any) -> Any:
        self.called.add(call.operation.name)
        self.unknown += unknown_fields(result)
        return result


async def test_every_method_works_against_a_node(either: Any, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    await people(either, tenant)
    await rooms(either)
    await talk(either)
    await rules(either)
    assert watch.called == set(documented()) - {"locate"}
    assert watch.unknown == []


async def people(natter: Any, tenant: Tenant) -> None:
    """Users, tokens, guests, presence, privacy, blocks."""
    made = await natter.users.upsert([{"id": "ada", "name": "Ada", "custom": {"team": "engines"}}, {"id": "grace"}])
    assert [user.id for user in made] == ["ada", "grace"]
    assert isinstance(made[0], models.User) and made[0].created_at.tzinfo is not None
    await natter.users.put("edsger", name="Edsger", role="member")
    assert (await natter.users.get("edsger")).name == "Edsger"
    changed = await natter.users.update("edsger", name=None)
    assert (changed.name, changed.role) == (None, "member"), "what was left out stayed"
    await natter.users.update_many([{"id": "edsger", "custom": {"team": "graphs"}}])
    await natter.indexes.put("users", "custom.team", type="text")
    assert [index.field for index in await natter.indexes.list()] == ["custom.team"]
    assert (await natter.indexes.get("users", "custom.team")).type == "text"
    page = await natter.users.query(filter={"custom.team": "engines"}, sort=["-created_at"], explain=True)
    assert [user.id for user in page.users] == ["ada"] and page.explain is not None
    await natter.indexes.delete("users", "custom.team")

    pair = await natter.tokens.create("ada", expires_in=600)
    assert (await natter.tokens.refresh(pair.refresh_token)).user_id == "ada"
    ada = natter.with_token(pair.access_token)
    assert (await ada.me.get()).id == "ada"
    assert (await ada.me.update(name="Ada King")).name == "Ada King"
    guest = await natter.guests.create(tenant.publishable_key, name="Ivy")
    assert guest.user.role == "guest"
    await ada.presence.put("ada", status="away", text="At lunch", text_expires_at=LATER)
    assert (await natter.presence.get("ada")).text_expires_at == LATER
    assert [item.user_id for item in await natter.presence.query(["ada", "grace"])] == ["ada", "grace"]
    assert (await natter.privacy.put("ada", delivery_receipts=False)).delivery_receipts is False
    assert (await natter.privacy.get("ada")).read_receipts is True
    await ada.blocks.add("edsger")
    assert [block.user_id for block in await ada.blocks.list()] == ["edsger"]
    await ada.blocks.remove("edsger")
    await natter.users.send_event("ada", type="order.paid", data={"order": 42})
    await natter.users.deactivate("edsger")
    assert (await natter.users.reactivate("edsger")).deactivated_at is None
    assert (await natter.tokens.revoke("edsger")).tokens_valid_after <= datetime.now(UTC) + timedelta(minutes=1)
    assert (await natter.descriptions.openapi())["openapi"].startswith("3.1")
    assert "channels" in await natter.descriptions.asyncapi()


async def rooms(natter: Any) -> None:
    """Channels, members, invites."""
    ada = natter.for_user("ada")
    general = await ada.channels.create(id="general", name="General", members=["grace"])
    assert (general.created_by, general.member_count) == ("ada", 2)
    assert [channel.id for channel in (await ada.channels.list(archived=False, muted="any")).channels] == ["general"]
    found = await natter.channels.query(filter={"type": "group"}, sort=["-updated_at"])
    assert [channel.id for channel in found.channels] == ["general"]
    assert (await natter.channels.get("general")).name == "General"
    assert (await natter.channels.update("general", name=None, slow_mode=0)).name is None
    assert (await ada.channels.arrange("general", pinned=True, muted_until=LATER)).muted_until == LATER
    assert (await natter.channels.truncate("general", message={"text": "Cleared", "user_id": "ada"})).id == "general"
    assert (await natter.presence.watchers("general")).count == 0
    await ada.channels.send_event("general", type="poll.opened", data={"question": "Lunch?"})

    assert [member.user_id for member in await natter.members.add("general", user_ids=["edsger"])] == ["edsger"]
    assert (await natter.members.put("general", "edsger", role="moderator")).role == "moderator"
    assert (await natter.members.update("general", "edsger", set={"desk": "4b"})).custom == {"desk": "4b"}
    assert len((await natter.members.list("general", limit=2)).members) == 2
    assert [m.user_id for m in (await natter.members.query("general", filter={"role": "owner"})).members] == ["ada"]
    await natter.members.remove("general", "edsger")
    await natter.channels.create(id="launch", type="livestream")
    await natter.for_user("edsger").channels.join("launch")
    await natter.for_user("edsger").channels.leave("launch")

    edsger = natter.for_user("edsger")
    assert (await ada.invites.create("general", user_ids=["edsger"]))[0].state == "pending"
    assert [item.user_id for item in (await natter.invites.of_channel("general")).invites] == ["edsger"]
    assert [item.channel.id for item in (await edsger.invites.list()).invites] == ["general"]
    await edsger.invites.reject("general")
    await natter.invites.create("general", user_ids=["edsger"])
    await natter.invites.revoke("general", "edsger")
    await natter.invites.create("general", user_ids=["edsger"])
    assert (await edsger.invites.accept("general")).id == "general"
    await natter.channels.create(id="old")
    await natter.channels.delete("old")


async def talk(natter: Any) -> None:
    """Messages and what stands beside them, receipts, sync."""
    ada, grace = natter.for_user("ada"), natter.for_user("grace")
    state = await ada.sync.get()
    assert isinstance(state, models.FreshState) and {channel.id for channel in state.channels} == {"general"}
    hello = await ada.messages.send("general", text="Hello", custom={"mood": "curious"}, mentions={"users": ["grace"]})
    assert hello.user_id == "ada" and hello.mentions == models.Mentions(users=["grace"])
    mine = new_message_id()
    assert (await grace.messages.send("general", id=mine, text="Hi", quoted_id=hello.id)).id == mine
    reply = await grace.messages.send("general", text="So?", thread_id=hello.id)
    assert (reply.thread_id, reply.reply_number) == (hello.id, 1)
    assert (await natter.messages.get(hello.id)).reply_count == 1
    assert [m.id for m in (await natter.messages.list("general", after=hello.seq)).messages] == [mine]
    assert [m.id for m in (await natter.threads.replies(hello.id)).messages] == [reply.id]
    assert (await ada.threads.list()).threads[0].unread == 1
    assert (await ada.threads.mark_read(hello.id)).unread == 0
    assert (await ada.messages.edit(hello.id, text="Hello!", set={"mood": "proud"})).custom == {"mood": "proud"}
    assert [version.text for version in (await natter.messages.versions(hello.id)).versions] == ["Hello"]
    assert (await grace.reactions.add(hello.id, "👍")).reactions == {"👍": 1}
    assert (await natter.reactions.list(hello.id, emoji="👍")).reactions[0].user_id == "grace"
    assert (await grace.reactions.remove(hello.id, "👍")).reactions == {}
    assert (await ada.pins.add(hello.id, expires_at=LATER)).expires_at == LATER
    assert [pin.message.text for pin in await natter.pins.list("general")] == ["Hello!"]
    await ada.pins.remove(hello.id)
    assert (await ada.messages.delete(mine)).deleted_at is not None
    assert (await ada.messages.restore(mine)).text == "Hi"
    assert (await grace.messages.hide(mine)).message_id == mine

    assert (await grace.unread.get()).total == 0, "she wrote last"
    assert (await grace.channels.mark_unread("general", message_id=hello.id)).marked_unread
    assert (await grace.channels.mark_delivered("general", message_id=hello.id)).delivered_number >= hello.number
    assert (await grace.channels.mark_read("general", message_id=hello.id)).read_number == hello.number
    assert not (await grace.channels.mark_all_read(type="group")).has_more
    assert {item.user_id for item in (await natter.receipts.list("general")).receipts} == {"ada", "grace", "edsger"}
    assert (await natter.receipts.readers(hello.id)).user_ids == ["grace"]
    since = await ada.sync.get(cursor=state.cursor)
    assert isinstance(since, models.Recovered) and "message.created" in [event.type for event in since.events]
    assert {limit.policy for limit in await natter.limits.get(channel_id="general")} >= {"requests.app"}


async def rules(natter: Any) -> None:
    """Roles and channel types."""
    await natter.roles.put("host", scopes=["channel"], grants=["message.send", "member.add"])
    assert (await natter.roles.get("host")).grants == ["member.add", "message.send"]
    assert "host" in [role.name for role in await natter.roles.list()]
    await natter.channel_types.put("salon", grants={"user": ["channel.create"]}, creator_role="host")
    assert (await natter.channel_types.get("salon")).creator_role == "host"
    assert "salon" in [kind.name for kind in await natter.channel_types.list()]
    await natter.channel_types.delete("salon")
    await natter.roles.delete("host")


async def test_an_app_is_found_by_its_publishable_key(world: World, serve: Serve) -> None:  # noqa: F811
    tenant = await world.tenant()
    credential = await world.credential("node", "n1")
    served = await serve(create_app(world.deps))
    async with world.serve() as client:
        await client.get("/internal/v1/snapshots", params={"url": "http://one.example"}, headers=bearer(credential))
    async with await AsyncNatter.locate(
        "sk_x", publishable_key=tenant.publishable_key, portal=served.url, user_agent="shop/1"
    ) as natter:
        assert natter.base_url == "http://one.example"
