"""What passes by and is in no log: presence of those whom one follows, and how far members have read and received."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.convergence.base import USERS, Base, Kind, Reading, channels, users
from tests.convergence.reducer import Json


async def _presence(reading: Reading) -> Any:
    followed = sorted(reading.person.known.followed())
    if not followed:
        return {}
    answer = await reading.person.rest("POST", "/v1/presence/query", {"user_ids": followed})
    assert answer.is_success, answer.text
    names = ("status", "text", "text_expires_at")
    return {each["user_id"]: {name: each[name] for name in names} for each in answer.json()["presence"]}


async def _receipts(reading: Reading) -> Any:
    """Those of every member of watched channels. What is not shown now, and where a newcomer is that has not moved yet,
    nobody tells: there the reader's own word stands."""
    kept = reading.person.known.receipts
    found = {}
    for channel_id in tuple(kept):
        answer = await reading.person.rest("GET", f"/v1/channels/{channel_id}/receipts", limit=100)
        if answer.is_success and channel_id in kept:
            places = kept[channel_id]
            found[channel_id] = {
                each["user_id"]: _told(each, places.get(each["user_id"])) for each in answer.json()["receipts"]
            }
    return found


def _told(fresh: Json, known: Json | None) -> Json:
    names = ("read_number", "delivered_number")
    if known is None:
        return {name: fresh[name] for name in names}
    return {name: known[name] if None in (known[name], fresh[name]) else fresh[name] for name in names}


KINDS = (
    Kind("presence", _presence, lambda state: state.followed()),
    Kind("receipts", _receipts, lambda state: state.receipts),
)


class Passing(Base):
    """Rules."""

    @rule(user=users)
    def follow(self, user: str) -> None:
        if self.people[user].connected:
            self.run(self.people[user].follow(*USERS))

    @rule(
        user=users,
        wish=st.sampled_from(
            ({"status": "online"}, {"status": "away"}, {"status": "invisible"}, {"text": "Back soon"}, {"text": None})
        ),
    )
    def show(self, user: str, wish: dict[str, Any]) -> None:
        self.run(self.ask(user, "presence.set", wish, "PUT", f"/v1/users/{user}/presence", wish))

    @rule(user=users, channel=channels, number=st.none() | st.integers(0, 5))
    def receive(self, user: str, channel: str, number: int | None) -> None:
        body = {} if number is None else {"number": number}
        path = f"/v1/channels/{channel}/delivered"
        self.run(self.ask(user, "receipt.delivered", {"channel_id": channel, **body}, "POST", path, body))
