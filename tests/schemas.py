"""What socket clients of the tests hear is what the features' definitions say, to the letter.

Every client of the tests passes what it hears to `heard` and `answered`. What fits no definition is kept, and fails the
test in which it came (`tests/conftest.py`). Real clients are told to ignore fields that they do not know; here a field
that no definition has is as wrong as one that is missing.
"""

from typing import Any, Final

import msgspec

from data_plane.events import Place
from data_plane.features import CALLS, EVENTS
from data_plane.gateway.definitions import Failed
from data_plane.sync.views import EventView

TOLD: Final = {event.name: event for event in EVENTS}
ASKED: Final = {call.name: call for call in CALLS}
WRONG: Final[list[str]] = []
"""What clients of this test heard that fits no definition."""


def heard(name: str, payload: Any) -> None:
    """A client got an event."""
    WRONG.extend(problems_of_event(name, payload))


def answered(event: str, answer: Any) -> None:
    """A client got an acknowledgement of an event that it sent."""
    WRONG.extend(problems_of_ack(event, answer))


def caught() -> list[str]:
    """What was kept until now; then it is forgotten."""
    found = list(WRONG)
    WRONG.clear()
    return found


def problems_of_event(name: str, payload: Any) -> list[str]:
    """Why this is none of the events that are told of; empty when it is one."""
    event = TOLD.get(name)
    if event is None:
        return [f"`{name}` is told of by no definition: {str(payload)[:300]}"]
    if event.place is Place.CONNECTION:
        return [f"`{name}`: {problem}" for problem in _misfits(payload, event.data)]
    problems = _misfits(payload, _PASSING if event.place is Place.PASSING else EventView)
    if not problems:
        problems = _misfits(payload["data"], event.data)
        if payload["type"] != name:
            problems.append(f"its type is {payload['type']}")
        if event.place is not Place.PASSING and (payload["channel_id"] is None) != (event.place is not Place.CHANNEL):
            problems.append(f"its `channel_id` is {payload['channel_id']}")
    return [f"`{name}`: {problem}: {str(payload)[:1000]}" for problem in problems]


def problems_of_ack(event: str, answer: Any) -> list[str]:
    """Why this is no acknowledgement of the event; empty when it is one."""
    if isinstance(answer, dict) and "error" in answer:
        return [f"`{event}` failed with {answer}: {problem}" for problem in _misfits(answer, Failed)]
    call = ASKED.get(event)
    if call is None:
        return [f"`{event}` is told of by no definition, and was answered with {str(answer)[:300]}"]
    kinds = call.ack if isinstance(call.ack, tuple) else (call.ack,)
    tried = [_misfits(answer, kind) for kind in kinds]
    if all(tried):
        return [f"`{event}` was answered with {str(answer)[:1000]}: {problem}" for problem in tried[0]]
    return problems_of_page(answer) if event == "sync" else []


def problems_of_page(page: dict[str, Any]) -> list[str]:
    """The same of the events in an answer of sync."""
    return [problem for event in page.get("events", ()) for problem in problems_of_event(event["type"], event)]


class _Passing(EventView):
    seq: None  # type: ignore[misc]


_PASSING: Final = _Passing


def _misfits(value: Any, kind: Any) -> list[str]:
    try:
        taken = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [str(error)]
    if kind is Failed or (
        isinstance(kind, type) and issubclass(kind, msgspec.Struct) and not kind.__struct_config__.forbid_unknown_fields
    ):
        return []  # a failure may tell more than all failures do
    # Typed dictionaries leave out what they do not know.
    known = msgspec.to_builtins(taken)
    return [] if known == value else [f"{_difference(value, known)} is in no definition"]


def _difference(value: Any, known: Any, where: str = "") -> str:
    if isinstance(value, dict) and isinstance(known, dict):
        for key, inner in value.items():
            if key not in known:
                return f"`{where}{key}`"
            if inner != known[key]:
                return _difference(inner, known[key], f"{where}{key}.")
    if isinstance(value, list) and isinstance(known, list):
        for inner, other in zip(value, known, strict=False):
            if inner != other:
                return _difference(inner, other, where)
    return f"`{where}`"
