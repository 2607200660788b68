"""Channels and their settings, who is in them, and what everybody may do."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.convergence.base import Base, Kind, Reading, channels, users

roles = st.sampled_from(("owner", "admin", "moderator", "member", "guest"))
settings = st.sampled_from(
    (
        {"name": "A new name"},
        {"name": None},
        {"custom": {"mood": "good"}},
        {"frozen": True},
        {"frozen": False},
        {"grants": {"member": ["message.send", "member.add"]}},
        {"grants": {"guest": ["channel.watch", "channel.join"], "user": ["channel.watch"]}},
        {"grants": None},
        {"history": "joined"},
        {"history": "all"},
    )
)
truncations = st.sampled_from(({}, {"before": 6}, {"hard": True, "message": {"text": "Cleared"}}))
wishes = st.sampled_from(
    (
        {"archived": True},
        {"archived": False, "pinned": False},
        {"hidden": True},
        {"hidden": True, "clear_history": True},
        {"hidden": False},
        {"muted": True},
        {"muted_until": "2126-01-01T00:00:00Z"},
        {"muted": False, "clear_history": True},
        {"pinned": True},
        {"pin_before": None},
    )
)


async def _channels(reading: Reading) -> Any:
    return await reading.channels()


async def _members(reading: Reading) -> Any:
    pages = await reading.each_channel("/v1/channels/{}/members?limit=100")
    return {id: {member["user_id"]: member for member in page["members"]} for id, page in pages.items()}


async def _grants(reading: Reading) -> Any:
    return (await reading.get("/v1/sync"))["grants"]


async def _invites(reading: Reading) -> Any:
    return _plain((await reading.get("/v1/invites?limit=100"))["invites"])


def _plain(invites: Iterable[Any]) -> Any:
    """Without what their channels are called by now."""
    kept = ("state", "role", "invited_by", "created_at")
    return {invite["channel"]["id"]: [invite[name] for name in kept] for invite in invites}


KINDS = (
    Kind("invites", _invites, lambda state: _plain(filter(None, state.invites.values()))),
    Kind("channels", _channels, lambda state: {id: state.channel(id) for id in state.channels}),
    Kind("members", _members, lambda state: state.members),
    Kind("grants", _grants, lambda state: state.grants),
)


class Channels(Base):
    """Rules."""

    @rule(user=users, type=st.sampled_from(("group", "team")), member=users)
    def create(self, user: str, type: str, member: str) -> None:
        self.made += 1
        body = {"id": f"new{self.made}", "type": type, "members": [member]}
        self.run(self.act(user, "POST", "/v1/channels", body))

    @rule(user=st.none() | users, channel=channels, setting=settings)
    def change(self, user: str | None, channel: str, setting: dict[str, Any]) -> None:
        self.run(self.by(user, "PATCH", f"/v1/channels/{channel}", setting))

    @rule(user=st.none() | users, channel=channels, wish=truncations)
    def truncate(self, user: str | None, channel: str, wish: dict[str, Any]) -> None:
        self.run(self.by(user, "POST", f"/v1/channels/{channel}/truncate", wish))

    @rule(user=users, channel=channels)
    def delete(self, user: str, channel: str) -> None:
        self.run(self.act(user, "DELETE", f"/v1/channels/{channel}"))

    @rule(user=st.none() | users, channel=channels, other=users, role=st.none() | roles)
    def put_member(self, user: str | None, channel: str, other: str, role: str | None) -> None:
        body = {"role": role} if role else None
        self.run(self.by(user, "PUT", f"/v1/channels/{channel}/members/{other}", body))

    @rule(user=users, channel=channels, wish=wishes)
    def arrange(self, user: str, channel: str, wish: dict[str, Any]) -> None:
        path = f"/v1/channels/{channel}/membership"
        self.run(self.ask(user, "membership.arrange", {"channel_id": channel, **wish}, "PATCH", path, wish))

    @rule(user=st.none() | users, channel=channels, other=users)
    def remove_member(self, user: str | None, channel: str, other: str) -> None:
        self.run(self.by(user, "DELETE", f"/v1/channels/{channel}/members/{other}"))

    @rule(user=users, channel=channels, come=st.booleans())
    def come_or_go(self, user: str, channel: str, come: bool) -> None:
        self.run(self.act(user, "POST", f"/v1/channels/{channel}/{'join' if come else 'leave'}"))

    @rule(
        type=st.sampled_from(("group", "team", "livestream")),
        role=st.sampled_from(("user", "member", "moderator", "admin")),
        grants=st.sampled_from(
            ([], ["channel.watch"], ["channel.watch", "channel.join"], ["message.send", "member.add"])
        ),
    )
    def grant(self, type: str, role: str, grants: list[str]) -> None:
        self.run(self.serve("PUT", f"/v1/channel-types/{type}", {"grants": {role: grants}}))

    @rule(user=st.none() | users, channel=channels, other=users)
    def invite(self, user: str | None, channel: str, other: str) -> None:
        self.run(self.by(user, "POST", f"/v1/channels/{channel}/invites", {"user_ids": [other]}))

    @rule(user=users, channel=channels, answer=st.sampled_from(("accept", "reject")))
    def answer_invite(self, user: str, channel: str, answer: str) -> None:
        self.run(self.act(user, "POST", f"/v1/invites/{channel}/{answer}", {}))

    @rule(user=st.none() | users, channel=channels, other=users, value=st.sampled_from(("here", None)))
    def keep(self, user: str | None, channel: str, other: str, value: str | None) -> None:
        wish = {"set": {"place": value}} if value else {"unset": ["place"]}
        self.run(self.by(user, "PATCH", f"/v1/channels/{channel}/members/{other}", wish))

    async def by(self, user: str | None, method: str, path: str, body: Any = None) -> Any:
        """A call by a user, or by the server."""
        return await (self.serve(method, path, body) if user is None else self.act(user, method, path, body))
