"""What the machine rarely meets: entries that are read late, so that they show a message as it is and not as it was."""

from typing import Any

from tests.convergence.reducer import Json, State

ADA: Json = {"id": "ada", "name": "Ada", "image": None, "role": "user", "custom": {}}


def message(seq: int, **more: Any) -> Json:
    plain = {"id": f"msg_{seq}", "channel_id": "den", "number": seq, "seq": seq, "user_id": "bob", "text": f"{seq}"}
    return {**plain, "attachments": [], "silent": False, "updated_at": "1", "deleted_at": None, **more}


def quoting(seq: int, of: int, **more: Any) -> Json:
    small = {"id": f"msg_{of}", "seq": of, "user_id": "bob", "text": f"{of}", "attachment_count": 0, "deleted": False}
    return message(seq, quoted_id=f"msg_{of}", quoted={**small, **more})


def begun(*messages: Json, own_seq: int = 0, pins: tuple[int, ...] = ()) -> State:
    """A client that has read a channel as of its event 10."""
    membership = {"role": "member", "read_number": 5, "history_from": 0, "hidden": False, "muted_at": None}
    places = {"truncated_to": 0, "truncated_number": 0, "last_number": 9, "member_count": 1, "seq": 10}
    channel = {"id": "den", "type": "group", "history": "all", "grants": {}, **places, "membership": membership}
    state = State.begin(dict(ADA), {"channels": [channel], "grants": {}, "blocks": [], "own_seq": own_seq})
    state.load("den", [], list(messages), [{"message_id": f"msg_{seq}", "message_seq": seq} for seq in pins])
    return state


def told(state: State, type: str, seq: int, channel: str | None = "den", **data: Any) -> dict[str, Json]:
    state.apply({"type": type, "channel_id": channel, "seq": seq, "data": data})
    return state.messages["den"]


def test_a_deletion_takes_reactions_and_pin_away_though_the_message_was_restored_when_it_is_read() -> None:
    state = begun(message(1, reactions={"+": 1}, own_reactions=["+"]), pins=(1,))
    restored = message(1, reactions={"+": 1})
    assert "own_reactions" not in told(state, "message.deleted", 11, message=restored)["msg_1"]
    assert state.pins["den"] == {}
    assert told(state, "message.restored", 12, message=restored)["msg_1"] == restored
    kept = told(state, "message.updated", 13, message={**restored, "text": "edited"})["msg_1"]
    assert kept["text"] == "edited"


def test_nothing_before_a_cut_is_quoted_any_more_whoever_made_the_cut() -> None:
    state = begun(message(1), quoting(6, of=1), quoting(8, of=6))
    kept = told(state, "membership.arranged", 1, None, channel_id="den", history_from=5)
    assert {id: "quoted" in each for id, each in kept.items()} == {"msg_6": False, "msg_8": True}
    told(state, "message.updated", 11, message=message(1, text="edited"))
    assert "quoted" not in kept["msg_6"], "an edit does not bring it back"
    told(state, "channel.truncated", 12, truncated_to=7, truncated_number=6)
    assert "quoted" not in state.messages["den"]["msg_8"]


def test_a_cut_holds_for_what_was_read_before_it_and_comes_after() -> None:
    state = begun()
    state.unloaded.add("den")
    told(state, "membership.arranged", 1, None, channel_id="den", history_from=5)
    told(state, "message.hidden", 2, None, channel_id="den", message_id="msg_7", number=7, thread_id=None)
    pins = [{"message_id": f"msg_{seq}", "message_seq": seq} for seq in (1, 6, 7)]
    state.load("den", [], [message(1), quoting(6, of=1), message(7)], pins)
    assert [list(state.messages["den"]), list(state.pins["den"])] == [["msg_6"], ["msg_6"]]
    assert "quoted" not in state.messages["den"]["msg_6"]


def test_quotes_follow_a_message_that_was_first_seen_deleted_and_say_nothing_of_a_hidden_one() -> None:
    state = begun(message(1, deleted_at="2", text=""), message(2), message(3, deleted_at="2", text=""))
    told(state, "message.restored", 11, message=quoting(3, of=2))
    told(state, "message.restored", 12, message=quoting(1, of=2))
    kept = told(state, "message.updated", 13, message=message(2, text="edited"))
    assert [kept[id]["quoted"]["text"] for id in ("msg_1", "msg_3")] == ["edited", "edited"]
    told(state, "message.updated", 14, message=message(2, text="", hidden=True))
    assert kept["msg_1"]["quoted"]["text"] == "edited", "who has hidden it is not told what it says"
    told(state, "message.deleted", 15, message=message(2, text="", hidden=True, deleted_at="3"))
    assert kept["msg_1"]["quoted"]["deleted"]


def test_an_event_of_ones_own_that_fresh_state_has_is_not_applied_to_it() -> None:
    state = begun(own_seq=7)
    mark = {"channel_id": "den", "read_number": 0, "marked_unread": True}
    told(state, "unread.changed", 7, None, **mark)
    assert state.channels["den"]["membership"]["read_number"] == 5
    told(state, "unread.changed", 8, None, **mark)
    assert state.channels["den"]["membership"]["read_number"] == 0
