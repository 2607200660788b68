"""What a client keeps, and what each event does to it. Pure: no network, no clock, nothing but JSON values.

The realtime reference, put into code, and a model for SDKs. A client

1. begins with `connection.ready` or an answer of sync that has fresh state (`State.begin`);
2. loads the members and the history of the channels in `state.unloaded` (`State.load`); meanwhile their events wait;
3. applies every event that it hears (`State.apply`). Repeats do nothing.

A feature adds a function `@on("its.event")` that changes the state, and a field for what it keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]
Reduce = Callable[["State", Json, Json], None]

OF_THE_APP: Final = {"grants.updated"}
"""Events without a channel that are entries of the app's log, not of the user's own."""
OF_TYPES: Final = {"channel.create"}
"""Permissions about a type as such, which are no capability in a channel."""
REDUCERS: Final[dict[str, Reduce]] = {}


def on(*types: str) -> Callable[[Reduce], Reduce]:
    """What an event of these types does: `reduce(state, event, data)`."""

    def register(reduce: Reduce) -> Reduce:
        for type in types:
            assert type not in REDUCERS, f"two reducers of {type}"
            REDUCERS[type] = reduce
        return reduce

    return register


@dataclass
class State:
    """One user's state. Values are as REST shows them."""

    user: Json
    """The own profile."""
    channels: dict[str, Json] = field(default_factory=dict)
    """By id: those that it is a member of, and those that it watches, whose `membership` is null."""
    members: dict[str, dict[str, Json]] = field(default_factory=dict)
    """By channel and user."""
    messages: dict[str, dict[str, Json]] = field(default_factory=dict)
    """By channel and id."""
    pins: dict[str, dict[str, Json]] = field(default_factory=dict)
    """By channel and message: what is pinned, without the message; `pinned` leaves out what has ended."""
    grants: Json = field(default_factory=dict)
    """`{type: {role: [permission]}}`"""
    blocks: dict[str, Json] = field(default_factory=dict)
    """By user."""
    invites: dict[str, Json | None] = field(default_factory=dict)
    """By channel: what it is invited to; null for what is over."""
    threads: dict[str, Json] = field(default_factory=dict)
    """Those that it takes part in, by their message: `channel_id`, `read_number`, `last_number`."""
    presence: dict[str, Json] = field(default_factory=dict)
    """By user: `status`, `text`, `text_expires_at` of others, as far as they were told."""
    subscribed: set[str] = field(default_factory=set)
    """Users whose presence it asked for."""
    watched: dict[str, set[str]] = field(default_factory=dict)
    """By channel that it watches: the members whose presence it was told."""
    receipts: dict[str, dict[str, Json]] = field(default_factory=dict)
    """By channel that it watches and member: `read_number`, `delivered_number`; null for what it was not told."""
    hidden: dict[str, str] = field(default_factory=dict)
    """Messages that it has deleted for itself, and the channel of each; as far as events have said so."""
    ask_for_threads: bool = True
    """They are to be read, as invites are."""
    ask_for_invites: bool = True
    """They are to be read, after the fresh state and before the events that follow it: those say what they are about
    as it is then, so that it does no harm to hear what was read already."""
    applied: dict[str, int] = field(default_factory=dict)
    """The newest event of each log that was applied, or that the state had from the start. A log is a channel's id, or
    `""` for the user's own, or `"app"`."""
    unloaded: set[str] = field(default_factory=set)
    """Channels whose members and history are to be loaded."""
    waiting: dict[str, list[Json]] = field(default_factory=dict)
    """Events of unloaded channels."""

    @classmethod
    def begin(cls, user: Json, fresh: Json) -> "State":
        """From fresh state: `{channels, grants, blocks, own_seq}`."""
        state = cls(user=dict(user), grants=dict(fresh["grants"]), applied={"": fresh["own_seq"]})
        state.blocks = {block["user_id"]: block for block in fresh["blocks"]}
        for channel in fresh["channels"]:
            state.enter(channel)
        return state

    def enter(self, channel: Json) -> None:
        """A channel that it becomes a member of, or watches, as of the event `channel["seq"]`."""
        id = channel["id"]
        self.channels[id] = channel
        self.applied[id] = channel["seq"]
        self.members[id], self.messages[id], self.pins[id], self.waiting[id] = {}, {}, {}, []
        self.unloaded.add(id)

    def leave(self, channel_id: str) -> None:
        """A channel that is not the user's any more. Nothing of it is kept."""
        for kept in (self.channels, self.members, self.messages, self.pins, self.waiting, self.applied):
            kept.pop(channel_id, None)  # type: ignore[attr-defined]
        self.unwatch(channel_id)
        # Whoever comes back sees all.
        self.hidden = {id: channel for id, channel in self.hidden.items() if channel != channel_id}
        for place in self.threads.values():
            if place["channel_id"] == channel_id:
                place["hidden"] = set()
        self.unloaded.discard(channel_id)

    def load(self, channel_id: str, members: list[Json], messages: list[Json], pins: list[Json]) -> None:
        """What was read of a channel that is not loaded. Events that came meanwhile are applied on top: they are not
        older than the channel, and whatever is newer than the reading follows."""
        if channel_id not in self.unloaded:
            return
        self.unloaded.discard(channel_id)
        self.members[channel_id] = {member["user_id"]: member for member in members}
        # It may have deleted some for itself since they were read, or all that is before a place.
        first = first_seq(self.channels[channel_id])
        self.messages[channel_id] = {
            message["id"]: message
            for message in messages
            if message["id"] not in self.hidden and message["seq"] >= first
        }
        self.pins[channel_id] = {
            pin["message_id"]: {name: value for name, value in pin.items() if name != "message"}
            for pin in pins
            if pin["message_id"] not in self.hidden and pin["message_seq"] >= first
        }
        cut(self, channel_id, first)
        waiting, self.waiting[channel_id] = self.waiting[channel_id], []
        for event in waiting:
            REDUCERS[event["type"]](self, event, event["data"])

    def load_invites(self, invites: list[Json]) -> None:
        """What was read of them. What events have said meanwhile is newer, or the same."""
        self.ask_for_invites = False
        self.invites = {invite["channel"]["id"]: invite for invite in invites} | self.invites

    def load_threads(self, threads: list[Json]) -> None:
        """What was read of them. What events have said meanwhile is newer, or the same."""
        self.ask_for_threads = False
        for each in threads:
            place = self.threads.setdefault(
                each["message"]["id"], {"read_number": 0, "last_number": 0, "hidden": set()}
            )
            place["hidden"].update(each.get("hidden_numbers", ()))
            place["channel_id"] = each["channel_id"]
            place["read_number"] = max(place["read_number"], each["read_number"])
            place["last_number"] = max(place["last_number"], each["thread"]["last_number"])

    def pinned(self, at: str) -> dict[str, dict[str, Json]]:
        """What is pinned at a moment, by channel and message: when a pin ends, no event says so."""
        return {
            channel_id: {id: pin for id, pin in pins.items() if pin["expires_at"] is None or pin["expires_at"] > at}
            for channel_id, pins in self.pins.items()
        }

    def unread(self) -> Json:
        """The totals, worked out from the rest."""
        open = {
            id: self.channel(id)["membership"]
            for id, channel in self.channels.items()
            if channel["membership"] is not None and channel["membership"]["muted_at"] is None
        }
        replies = [
            place["last_number"]
            - place["read_number"]
            - sum(number > place["read_number"] for number in place["hidden"])
            for id, place in self.threads.items()
            if place["channel_id"] in open and id in self.messages[place["channel_id"]]
        ]
        return {
            "total": sum(membership["unread"] for membership in open.values()),
            "channels_unread": sum(membership["unread"] > 0 for membership in open.values()),
            "mentions": sum(
                self.mentioned(message) and message["number"] > membership["read_number"]
                for id, membership in open.items()
                for message in self.messages[id].values()
            ),
            "thread_replies": sum(replies),
            "threads_unread": sum(left > 0 for left in replies),
        }

    def mentioned(self, message: Json) -> bool:
        """Whether a message mentions the user, by another, or the channel."""
        whom = message.get("mentions", {})
        own = message["user_id"] == self.user["id"]
        return not message["silent"] and bool(
            whom.get("channel") or (self.user["id"] in whom.get("users", ()) and not own)
        )

    def stop_watching(self, *channel_ids: str) -> None:
        """Drop channels that were only watched: these, or all of them, because watching ends with the connection."""
        for id in channel_ids or tuple(self.channels):
            if id in self.channels and self.channels[id]["membership"] is None:
                self.leave(id)

    # -- what passes by: kept for as long as the connection stands -----------------------------------------------------

    def subscribe(self, answer: Json) -> None:
        """Whom it follows from now on, and where they are."""
        self.subscribed |= {each["user_id"] for each in answer["presence"]}
        self._saw(answer["presence"])

    def watch(self, answer: Json) -> None:
        """A channel that it watches from now on, with what its members are up to."""
        id = answer["channel"]["id"]
        if answer["presence"] is not None:
            self.watched[id] = {each["user_id"] for each in answer["presence"]["members"]}
            self._saw(answer["presence"]["members"])
        if answer["receipts"] is not None:
            names = ("read_number", "delivered_number")
            self.receipts[id] = {
                each["user_id"]: {name: each[name] for name in names} for each in answer["receipts"]["receipts"]
            }

    def unwatch(self, channel_id: str) -> None:
        """Watch it no more."""
        self.watched.pop(channel_id, None)
        self.receipts.pop(channel_id, None)

    def disconnect(self) -> None:
        """Nothing is heard any more."""
        self.stop_watching()
        for kept in (self.presence, self.subscribed, self.watched, self.receipts):
            kept.clear()  # type: ignore[attr-defined]

    def followed(self) -> dict[str, Json]:
        """The presence of everybody else that it hears of."""
        users = self.subscribed.union(*self.watched.values()) - {self.user["id"]}
        return {user: self.presence[user] for user in users}

    def _saw(self, presence: list[Json]) -> None:
        for each in presence:
            self.presence[each["user_id"]] = {name: each[name] for name in ("status", "text", "text_expires_at")}

    def apply(self, event: Json) -> None:
        """One event, from a socket or from sync. One that was applied before does nothing."""
        log = event["channel_id"] or ("app" if event["type"] in OF_THE_APP else "")
        if event["seq"] is not None:
            if event["channel_id"] is not None and log not in self.channels:
                return
            if event["seq"] <= self.applied.get(log, 0):
                return
            self.applied[log] = event["seq"]
        if event["type"] not in REDUCERS:
            return
        if event["type"] == "message.created":
            wrote(self, event["data"]["message"])
        # What passes by is as of now, whatever is still to be loaded; and of what is gone nothing can be.
        if log in self.unloaded and event["seq"] is not None and event["type"] != "channel.deleted":
            self.waiting[log].append(event)
        else:
            REDUCERS[event["type"]](self, event, event["data"])

    def capabilities(self, channel: Json) -> list[str]:
        """What the user may do in a channel: what its role there and its role in the app have together."""
        row = self.grants.get(channel["type"], {}) | channel["grants"]
        app_role = self.user["role"] if self.user["role"] in row else "user"
        granted = set(row.get(app_role, ()))
        if channel["membership"] is not None:
            granted |= set(row.get(channel["membership"]["role"], ()))
        elif "channel.watch" not in granted:
            granted &= {"channel.join"}
        return sorted(granted - OF_TYPES)

    def channel(self, channel_id: str) -> Json:
        """A channel as REST shows it to the user: with what is worked out from the rest."""
        channel = self.channels[channel_id]
        membership = channel["membership"]
        if membership is not None:
            read = max(membership["read_number"], channel["truncated_number"])
            hidden = sorted(number for number in membership.get("hidden_numbers", ()) if number > read)
            membership = {**membership, "unread": max(0, channel["last_number"] - read - len(hidden))}
            membership.pop("hidden_numbers", None)
            if hidden:
                membership["hidden_numbers"] = hidden
        return {**channel, "membership": membership, "capabilities": self.capabilities(channel)}


def seen(state: State, event: Json) -> Json:
    """The channel of an event, which is as of this event now."""
    channel = state.channels[event["channel_id"]]
    channel["seq"] = max(channel["seq"], event["seq"])
    return channel


def first_seq(channel: Json) -> int:
    """The first place in a channel's log that the user may see."""
    return max(channel["truncated_to"], (channel["membership"] or {"history_from": 0})["history_from"])


def cut(state: State, channel_id: str, seq: int) -> None:
    """Take away what is before a place: messages, what quotes show of them, and pins."""
    kept = {key: one for key, one in state.messages[channel_id].items() if one["seq"] >= seq}
    for message in kept.values():
        if message.get("quoted", message)["seq"] < seq:
            del message["quoted"]
    pins = state.pins[channel_id]
    state.messages[channel_id] = kept
    state.pins[channel_id] = {id: pin for id, pin in pins.items() if pin["message_seq"] >= seq}


# -- channels ----------------------------------------------------------------------------------------------------------


@on("channel.created")
def channel_created(state: State, event: Json, data: Json) -> None:
    seen(state, event)


@on("channel.updated")
def channel_updated(state: State, event: Json, data: Json) -> None:
    channel = seen(state, event)
    # What depends on who looks is the reader's own.
    own = {"membership": channel["membership"], "capabilities": channel["capabilities"]}
    history = channel["history"]
    channel |= {**data["channel"], **own}
    if own["membership"] is None and channel["history"] != history:
        # Who only watches sees what is stored, or nothing of it.
        state.messages[channel["id"]], state.pins[channel["id"]] = {}, {}
        if channel["history"] == "all":
            state.unloaded.add(channel["id"])


@on("channel.truncated")
def channel_truncated(state: State, event: Json, data: Json) -> None:
    channel = seen(state, event)
    channel |= {name: data[name] for name in ("truncated_to", "truncated_number")}
    cut(state, channel["id"], data["truncated_to"])


@on("channel.deleted")
def channel_deleted(state: State, event: Json, data: Json) -> None:
    state.leave(data["channel_id"])


# -- members -----------------------------------------------------------------------------------------------------------


@on("member.added")
def member_added(state: State, event: Json, data: Json) -> None:
    seen(state, event)["member_count"] += 1
    state.members[event["channel_id"]][data["user_id"]] = data
    # Where a newcomer is, the first event about it tells.
    if event["channel_id"] in state.receipts:
        state.receipts[event["channel_id"]][data["user_id"]] = {"read_number": None, "delivered_number": None}


@on("member.updated")
def member_updated(state: State, event: Json, data: Json) -> None:
    seen(state, event)
    state.members[event["channel_id"]][data["user_id"]] = data


@on("member.removed")
def member_removed(state: State, event: Json, data: Json) -> None:
    seen(state, event)["member_count"] -= 1
    state.members[event["channel_id"]].pop(data["user_id"], None)
    state.watched.get(event["channel_id"], set()).discard(data["user_id"])
    state.receipts.get(event["channel_id"], {}).pop(data["user_id"], None)


@on("membership.added")
def membership_added(state: State, event: Json, data: Json) -> None:
    state.enter(data["channel"])
    state.invites[data["channel"]["id"]] = None


@on("invite.changed")
def invite_changed(state: State, event: Json, data: Json) -> None:
    invite = data["invite"]
    state.invites[invite["channel"]["id"]] = invite if invite["state"] == "pending" else None


@on("membership.updated")
def membership_updated(state: State, event: Json, data: Json) -> None:
    if data["channel_id"] in state.channels:
        state.channels[data["channel_id"]]["membership"]["role"] = data["role"]


@on("membership.arranged")
def membership_arranged(state: State, event: Json, data: Json) -> None:
    id = data["channel_id"]
    if id in state.channels:
        state.channels[id]["membership"] |= {name: value for name, value in data.items() if name != "channel_id"}
        cut(state, id, data["history_from"])


@on("event.skipped")
def event_skipped(state: State, event: Json, data: Json) -> None:
    seen(state, event)


@on("membership.removed")
def membership_removed(state: State, event: Json, data: Json) -> None:
    state.leave(data["channel_id"])


# -- messages and read positions ---------------------------------------------------------------------------------------


@on("message.created")
def message_created(state: State, event: Json, data: Json) -> None:
    message, channel = data["message"], seen(state, event)
    membership = channel["membership"]
    kept = state.messages[message["channel_id"]]
    if in_channel(message) and (membership is not None or channel["history"] == "all"):
        put_message(state, kept, message)
    thread_changed(kept, data)
    if membership is not None and message["number"] > channel["last_number"]:
        membership["hidden"] = False
    channel["last_number"] = max(channel["last_number"], message["number"])
    take_part(state, message, data)
    own = message["user_id"] == state.user["id"] and not message["silent"]
    if membership is not None and own:
        # Who sends has read what is before it.
        membership["read_number"] = max(membership["read_number"], message["number"])


@on("message.updated", "message.deleted", "message.restored")
def message_changed(state: State, event: Json, data: Json) -> None:
    message, channel = data["message"], seen(state, event)
    kept = state.messages[event["channel_id"]]
    # A deletion takes reactions and the pin away for good, whatever the message is like by now.
    if event["type"] != "message.updated":
        kept.get(message["id"], {}).pop("own_reactions", None)
    # What it does not have is of a thread alone, before its time, or what it has deleted for itself.
    if message["id"] in kept:
        put_message(state, kept, message)
    # What it says is left out for whoever has hidden it, but not of its quotes; what is before a cut is not quoted.
    told = not message.get("hidden") or message["deleted_at"] is not None
    if told and message["seq"] >= first_seq(channel):
        quoted_changed(kept, message)
    thread_changed(kept, data)
    if event["type"] == "message.deleted" or message["deleted_at"] is not None:
        state.pins[event["channel_id"]].pop(message["id"], None)


def in_channel(message: Json) -> bool:
    """Whether a message is in the channel's history, not in a thread alone."""
    return "thread_id" not in message or message.get("also_in_channel", False)


def put_message(state: State, kept: dict[str, Json], message: Json) -> None:
    """A message as it is now, unless it was deleted for oneself. One's own reactions are in no event about it."""
    if message["id"] in state.hidden or message.get("hidden"):
        return
    before = kept.get(message["id"], {})
    if "reactions" in message and "own_reactions" in before:
        message = {**message, "own_reactions": before["own_reactions"]}
    kept[message["id"]] = message


def quoted_changed(kept: dict[str, Json], message: Json) -> None:
    """Whatever quotes a message shows it small, as it is now."""
    small = {
        "id": message["id"],
        "seq": message["seq"],
        "user_id": message["user_id"],
        "text": message["text"][:200],
        "attachment_count": len(message["attachments"]),
        "deleted": message["deleted_at"] is not None,
    }
    for quoting in kept.values():
        if quoting.get("quoted_id") == message["id"]:
            quoting["quoted"] = small


def thread_changed(kept: dict[str, Json], data: Json) -> None:
    """A reply tells how its thread is now; the message that it hangs on shows it."""
    thread = data.get("thread")
    if thread is not None and thread["id"] in kept:
        kept[thread["id"]] |= {
            "reply_count": thread["reply_count"],
            "last_reply_at": thread["last_reply_at"],
            "thread_participants": thread["participants"],
            "thread_participant_count": thread["participant_count"],
        }


def take_part(state: State, message: Json, data: Json) -> None:
    """A reply brings whoever began its thread into it, whoever wrote it, and whom it mentions."""
    thread, me = data.get("thread"), state.user["id"]
    if thread is None:
        return
    place = state.threads.get(thread["id"])
    if place is None:
        if me == thread["user_id"]:
            read = 0
        elif me == message["user_id"] or me in message.get("mentions", {}).get("users", ()):
            read = message["reply_number"] - 1
        else:
            return
        place = state.threads[thread["id"]] = {
            "channel_id": message["channel_id"],
            "read_number": read,
            "last_number": 0,
            "hidden": set(),
        }
    place["last_number"] = max(place["last_number"], thread["last_number"])
    if message["user_id"] == me:
        place["read_number"] = max(place["read_number"], message["reply_number"])


@on("thread.changed")
def thread_read(state: State, event: Json, data: Json) -> None:
    place = state.threads.setdefault(data["thread_id"], {"read_number": 0, "last_number": 0, "hidden": set()})
    place["channel_id"] = data["channel_id"]
    place["read_number"] = max(place["read_number"], data["read_number"])
    place["last_number"] = max(place["last_number"], data["last_number"])


@on("message.hidden")
def message_hidden(state: State, event: Json, data: Json) -> None:
    channel = state.channels.get(data["channel_id"])
    if channel is None or channel["membership"] is None:
        return
    state.hidden[data["message_id"]] = data["channel_id"]
    for kept in (state.messages, state.pins):
        kept[data["channel_id"]].pop(data["message_id"], None)
    membership = channel["membership"]
    if data["number"] is not None:
        membership["hidden_numbers"] = [*{*membership.get("hidden_numbers", ()), data["number"]}]
    if data["thread_id"] in state.threads:
        state.threads[data["thread_id"]]["hidden"].add(data["reply_number"])


@on("reaction.added", "reaction.removed")
def reaction_changed(state: State, event: Json, data: Json) -> None:
    seen(state, event)
    message = state.messages[event["channel_id"]].get(data["message_id"])
    if message is None or message["deleted_at"] is not None:
        return
    own = list(message.get("own_reactions", ()))
    if data["user_id"] == state.user["id"]:
        gone = [*data.get("replaced", ()), data["emoji"]]
        again = event["type"] == "reaction.added" and data["emoji"] in own
        own = [emoji for emoji in own if emoji not in gone or (again and emoji == data["emoji"])]
        own += [data["emoji"]] if event["type"] == "reaction.added" and not again else []
    message.pop("own_reactions", None)
    message.pop("reactions", None)
    if data["reactions"]:
        message |= {"reactions": data["reactions"], "own_reactions": own}


@on("message.pinned")
def message_pinned(state: State, event: Json, data: Json) -> None:
    channel = seen(state, event)
    membership = channel["membership"]
    if membership is None and channel["history"] != "all":
        return
    message = state.messages[event["channel_id"]].get(data["message_id"], {"deleted_at": None})
    # Who catches up may know already that it is gone.
    first = first_seq(channel)
    shown = message["deleted_at"] is None and data["message_id"] not in state.hidden
    if data["message_seq"] >= first and shown:
        state.pins[event["channel_id"]][data["message_id"]] = data


@on("message.unpinned")
def message_unpinned(state: State, event: Json, data: Json) -> None:
    seen(state, event)
    state.pins[event["channel_id"]].pop(data["message_id"], None)


@on("unread.changed")
def unread_changed(state: State, event: Json, data: Json) -> None:
    channel = state.channels.get(data["channel_id"])
    if channel is not None:
        membership = channel["membership"]
        back = data["marked_unread"]
        membership["hidden_numbers"] = [*{*membership.get("hidden_numbers", ()), *data.get("hidden_numbers", ())}]
        # Nothing but a mark takes it back; an own message, of the channel's log, may have moved it on before.
        membership["read_number"] = data["read_number"] if back else max(membership["read_number"], data["read_number"])


@on("unread.cleared")
def unread_cleared(state: State, event: Json, data: Json) -> None:
    for moved in data["channels"]:
        channel = state.channels.get(moved["channel_id"])
        if channel is not None:
            membership = channel["membership"]
            membership["read_number"] = max(membership["read_number"], moved["read_number"])


# -- the app, oneself --------------------------------------------------------------------------------------------------


@on("grants.updated")
def grants_updated(state: State, event: Json, data: Json) -> None:
    for name, row in data["types"].items():
        if row is None:
            state.grants.pop(name, None)
        else:
            state.grants[name] = row


@on("user.updated")
def user_updated(state: State, event: Json, data: Json) -> None:
    state.user = {name: data["user"][name] for name in state.user}


@on("block.added")
def block_added(state: State, event: Json, data: Json) -> None:
    state.blocks[data["block"]["user_id"]] = data["block"]


@on("block.removed")
def block_removed(state: State, event: Json, data: Json) -> None:
    state.blocks.pop(data["user_id"], None)


# -- what passes by ----------------------------------------------------------------------------------------------------


@on("presence.changed")
def presence_changed(state: State, event: Json, data: Json) -> None:
    state.presence[data["user_id"]] = {name: data[name] for name in ("status", "text", "text_expires_at")}


@on("receipts.read", "receipts.delivered")
def receipts_moved(state: State, event: Json, data: Json) -> None:
    kept = state.receipts.get(event["channel_id"])
    if kept is None:
        return
    name = "read_number" if event["type"] == "receipts.read" else "delivered_number"
    for mark in data["positions"]:
        place = kept.setdefault(mark["user_id"], {"read_number": None, "delivered_number": None})
        known = place[name]
        place[name] = mark["number"] if mark["exact"] or known is None else max(known, mark["number"])
        read_is_delivered(place)


def wrote(state: State, message: Json) -> None:
    """Who sends has read what is before it, without a word."""
    place = state.receipts.get(message["channel_id"], {}).get(message["user_id"])
    if place is not None and place["read_number"] is not None and not message["silent"]:
        place["read_number"] = max(place["read_number"], message["number"])
        read_is_delivered(place)


def read_is_delivered(place: Json) -> None:
    """What was read was delivered, without a word."""
    if place["read_number"] is not None and place["delivered_number"] is not None:
        place["delivered_number"] = max(place["read_number"], place["delivered_number"])
