"""The checker finds what it is for: each fault planted in a faultless history is told, under its rule."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ops.chaos.checker import check
from ops.chaos.history import Connection, Entry, Fault, History, Passing, StoredMessage
from tests.scenarios.delivery.synthetic import BACK, EPOCH, LEFT, connection_of, faultless


def test_a_faultless_history_shows_no_violation():
    assert check(faultless()) == []


def _stored(history: History) -> list[StoredMessage]:
    return history.channels[0].messages


def _everywhere(history: History, change: Callable[[list[StoredMessage]], None]) -> None:
    for messages in history.channels[0].histories.values():
        change(messages)


def acknowledged_message_is_lost(history: History) -> None:
    gone = _stored(history)[3]
    _everywhere(history, lambda messages: messages.remove(gone))


def message_is_stored_twice(history: History) -> None:
    twin = replace(_stored(history)[-1], seq=99, number=99)
    _everywhere(history, lambda messages: messages.append(twin))


def message_moved_after_its_acknowledgement(history: History) -> None:
    send = next(o for o in history.operations if o.kind == "send")
    send.answer = {"seq": 2, "number": 2}


def refused_message_is_stored(history: History) -> None:
    ghost = StoredMessage("msg_redrefused", 99, 11, "ann", "no")
    _everywhere(history, lambda messages: messages.append(ghost))


def message_that_nobody_sent(history: History) -> None:
    ghost = StoredMessage("msg_ghost", 99, 11, "ann", "boo")
    _everywhere(history, lambda messages: messages.append(ghost))


def unknown_message_is_stored_twice(history: History) -> None:
    twins = [StoredMessage("msg_redlost", 97, 11, "ann", "?"), StoredMessage("msg_redlost", 98, 12, "ann", "?")]
    _everywhere(history, lambda messages: messages.extend(twins))


def two_observers_see_different_things(history: History) -> None:
    heard = connection_of(history, "red", "ann").heard
    heard[0] = replace(heard[0], about="msg_red7")


def two_nodes_show_different_histories(history: History) -> None:
    history.channels[0].histories["n2"].pop()


def _drop(connection: Connection, seq: int) -> None:
    connection.heard = [e for e in connection.heard if e.seq != seq]


def entry_is_dropped(history: History) -> None:
    _drop(connection_of(history, "red", "ann"), 8)


def entry_is_doubled(history: History) -> None:
    heard = connection_of(history, "red", "ann").heard
    heard.insert(3, heard[2])


def entries_are_swapped(history: History) -> None:
    heard = connection_of(history, "red", "ann").heard
    heard[3], heard[4] = heard[4], heard[3]


def resume_leaves_a_hole(history: History) -> None:
    second = connection_of(history, "red", "ben")
    second.heard = [e for e in second.heard if e.seq > 5]


def first_connection_begins_too_late(history: History) -> None:
    for number in (0, 1):
        _drop(connection_of(history, "red", "ben", number), 1)


def last_entry_never_arrives(history: History) -> None:
    connection_of(history, "red", "ann").heard.pop()


def healing_takes_too_long(history: History) -> None:
    history.settle_seconds = 11.0


def order_of_sends_is_not_kept(history: History) -> None:
    first, second = [o for o in history.operations if o.kind == "send"][:2]
    first.answer, second.answer = second.answer, first.answer


def acknowledged_message_cannot_be_read(history: History) -> None:
    next(o for o in history.operations if o.kind == "look").answer["found"] = False


def edit_is_not_heard(history: History) -> None:
    edited = replace(_stored(history)[0], text="better")
    for messages in history.channels[0].histories.values():
        messages[0] = edited


def acknowledged_edit_is_lost(history: History) -> None:
    edit = history.begin("edit", "red", "ann", "room", message="msg_red0", text="better")
    edit.done("ok")


def entry_after_the_removal(history: History) -> None:
    heard = connection_of(history, "red", "cem").heard
    at = next(i for i, e in enumerate(heard) if e.seq == BACK)
    heard.insert(at, Entry("c:room", LEFT + 1, "message.created", "msg_red6", "red 6", at=7.0))


def entry_long_after_leaving(history: History) -> None:
    connection = connection_of(history, "red", "cem")
    connection.opened = 5.5
    connection.heard = [replace(e, at=8.9) if e.seq == LEFT else e for e in connection.heard]


def somebody_types_long_after_leaving(history: History) -> None:
    connection_of(history, "red", "cem").passing.append(Passing("room", "typing.started", "ann", 8.9))


def typing_that_nobody_did_there(history: History) -> None:
    connection_of(history, "red", "cem", 0).passing.append(Passing("room", "typing.started", "ben", 4.0))


def message_of_another_tenant(history: History) -> None:
    heard = connection_of(history, "red", "ann").heard
    heard[-1] = replace(heard[-1], about="msg_blue11", text="blue 11")


def somebody_elses_own_log(history: History) -> None:
    connection_of(history, "red", "ann").heard.append(Entry("u:ben", 1, "unread.changed", "room"))


def unread_count_is_wrong(history: History) -> None:
    history.channels[0].standings["ann"] = (9, 5)


def read_position_is_behind_an_acknowledged_mark(history: History) -> None:
    mark = history.begin("mark_read", "red", "cem", "room")
    mark.done("ok", read_number=10)


def read_position_went_back(history: History) -> None:
    positions = [Entry("u:ann", 1, "unread.changed", "room", position=5)]
    positions.append(Entry("u:ann", 2, "unread.changed", "room", position=4))
    history.replays["red", "ann"] += positions


def message_numbers_have_a_gap(history: History) -> None:
    for messages in history.channels[0].histories.values():
        messages[-1] = replace(messages[-1], number=12)


def messages_are_counted_twice(history: History) -> None:
    history.usage["red"].messages *= 2


def message_is_not_counted(history: History) -> None:
    history.usage["red"].messages -= 1


def active_user_is_counted_twice(history: History) -> None:
    history.usage["blue"].active_users += 1


def rollup_disagrees(history: History) -> None:
    history.usage["blue"].rolled_up["messages"] += 1


def epoch_comes_again(history: History) -> None:
    for connection in history.connections:
        connection.heard = [replace(e, epoch="second") if e.seq in (4, 5) else e for e in connection.heard]
    for entries in history.replays.values():
        entries[:] = [replace(e, epoch="second") if e.seq in (4, 5) else e for e in entries]


def epoch_differs_between_observers(history: History) -> None:
    heard = connection_of(history, "red", "ann").heard
    heard[0] = replace(heard[0], epoch="second")


def log_ends_in_an_epoch_that_is_over(history: History) -> None:
    history.epoch = "second"


def caller_is_told_of_a_defect(history: History) -> None:
    edit = history.begin("edit", "red", "ann", "room", message="msg_red0", text="better")
    edit.done("unknown", code="internal")


def request_ends_in_a_defect(history: History) -> None:
    history.defects.append("GET /v1/sync on n1: 500")


def slow_consumer_is_not_closed(history: History) -> None:
    history.slow[0] = replace(history.slow[0], told=None)


def slow_consumer_is_closed_for_something_else(history: History) -> None:
    history.slow[0] = replace(history.slow[0], told="closed")


def slow_consumer_holds_others_up(history: History) -> None:
    for connection in history.connections:
        connection.heard = [replace(e, at=e.at + 3.0) for e in connection.heard]


PLANTED: list[tuple[str, Callable[[History], None]]] = [
    ("H1", acknowledged_message_is_lost),
    ("H1", message_is_stored_twice),
    ("H1", message_moved_after_its_acknowledgement),
    ("H2", refused_message_is_stored),
    ("H2", message_that_nobody_sent),
    ("H2", unknown_message_is_stored_twice),
    ("H3", two_observers_see_different_things),
    ("H3", two_nodes_show_different_histories),
    ("H4", entry_is_dropped),
    ("H4", entry_is_doubled),
    ("H4", entries_are_swapped),
    ("H4", resume_leaves_a_hole),
    ("H4", first_connection_begins_too_late),
    ("H5", last_entry_never_arrives),
    ("H5", healing_takes_too_long),
    ("H6", order_of_sends_is_not_kept),
    ("H7", acknowledged_message_cannot_be_read),
    ("H8", edit_is_not_heard),
    ("H8", acknowledged_edit_is_lost),
    ("H9", entry_after_the_removal),
    ("H9", entry_long_after_leaving),
    ("H9", somebody_types_long_after_leaving),
    ("H9", typing_that_nobody_did_there),
    ("H9", message_of_another_tenant),
    ("H9", somebody_elses_own_log),
    ("H10", unread_count_is_wrong),
    ("H10", read_position_is_behind_an_acknowledged_mark),
    ("H10", read_position_went_back),
    ("H10", message_numbers_have_a_gap),
    ("H13", messages_are_counted_twice),
    ("H13", message_is_not_counted),
    ("H13", active_user_is_counted_twice),
    ("H13", rollup_disagrees),
    ("H14", epoch_comes_again),
    ("H14", epoch_differs_between_observers),
    ("H14", log_ends_in_an_epoch_that_is_over),
    ("ERR", caller_is_told_of_a_defect),
    ("ERR", request_ends_in_a_defect),
    ("SLOW", slow_consumer_is_not_closed),
    ("SLOW", slow_consumer_is_closed_for_something_else),
    ("SLOW", slow_consumer_holds_others_up),
]


def removed_while_resuming(history: History, *, told: bool) -> None:
    """`cem` comes back while it is being removed, and hears only the first of what it missed."""
    second = connection_of(history, "red", "cem")
    at = next(n for n, e in enumerate(second.heard) if e.seq == LEFT)
    second.heard[at - 1 : at + 1] = [Entry("u:cem", 1, "membership.removed", "room", at=LEFT, epoch=EPOCH)] * told


def test_who_is_removed_while_it_comes_back_may_miss_the_end_of_its_time_there():
    history = faultless()
    removed_while_resuming(history, told=True)
    assert check(history) == []


def test_but_not_without_being_told():
    history = faultless()
    removed_while_resuming(history, told=False)
    assert {violation.rule for violation in check(history)} == {"H4"}


@pytest.mark.parametrize(("rule", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_a_planted_fault_is_found(rule: str, plant: Callable[[History], None]):
    history = faultless()
    plant(history)
    found = check(history)
    assert rule in {violation.rule for violation in found}, found
    assert all(violation.sentence for violation in found)


def test_what_was_missed_before_a_removal_may_come_after_it_when_a_node_was_in_trouble():
    history = faultless()
    entry_long_after_leaving(history)
    history.faults.append(Fault("stop n2 for 2 s", ("n2",), 6.5, 8.5))
    assert check(history) == []


def test_trouble_excuses_nothing_that_is_in_no_log():
    history = faultless()
    somebody_types_long_after_leaving(history)
    history.faults.append(Fault("stop n2 for 2 s", ("n2",), 6.5, 8.5))
    assert {violation.rule for violation in check(history)} == {"H9"}
