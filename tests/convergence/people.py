"""Profiles and blocks; coming, going and watching."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.convergence.base import Base, Kind, Reading, channels, users


async def _profile(reading: Reading) -> Any:
    profile = await reading.get("/v1/users/me")
    return {name: profile[name] for name in reading.person.known.user}


async def _blocks(reading: Reading) -> Any:
    return {block["user_id"]: block for block in (await reading.get("/v1/users/me/blocks"))["blocks"]}


KINDS = (
    Kind("own profile", _profile, lambda state: state.user),
    Kind("blocks", _blocks, lambda state: state.blocks),
)


class People(Base):
    """Rules."""

    @rule(user=users, change=st.sampled_from(({"name": "A name"}, {"name": None}, {"custom": {"mood": "good"}})))
    def change_profile(self, user: str, change: dict[str, Any]) -> None:
        self.run(self.act(user, "PATCH", "/v1/users/me", change))

    @rule(user=users, role=st.sampled_from(("user", "moderator", "admin", "guest", "a-role-that-is-none")))
    def name_role(self, user: str, role: str) -> None:
        self.run(self.serve("PATCH", f"/v1/users/{user}", {"role": role}))

    @rule(user=users, other=users, block=st.booleans())
    def block_or_not(self, user: str, other: str, block: bool) -> None:
        self.run(self.act(user, "PUT" if block else "DELETE", f"/v1/users/me/blocks/{other}"))

    # -- connections -----------------------------------------------------------------------------------------------

    @rule(user=users)
    def go(self, user: str) -> None:
        self.run(self.people[user].disconnect())

    @rule(user=users, node=st.integers(0, 1), back=st.sampled_from((0, 0, 1, 100)), over_rest=st.booleans())
    def come_back(self, user: str, node: int, back: int, over_rest: bool) -> None:
        """With the newest cursor, or an older one, which repeats events; perhaps after catching up over REST."""

        async def connect() -> None:
            person = self.people[user]
            if person.connected:
                return
            if over_rest:
                await person.catch_up()
            await person.connect(node, back=back)

        self.run(connect())

    @rule(user=users, channel=channels)
    def watch(self, user: str, channel: str) -> None:
        if self.people[user].connected:
            self.run(self.people[user].watch(channel))

    @rule(user=users, channel=channels)
    def unwatch(self, user: str, channel: str) -> None:
        if self.people[user].connected:
            self.run(self.people[user].unwatch(channel))
