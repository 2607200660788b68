"""How a feature offers socket events: a name, the payload's type, and a function that answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from data_plane.identity.caller import Caller


class Payload(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Base of every inbound payload: unknown fields are refused, so that a typo is heard."""


class SocketRoute(msgspec.Struct, frozen=True):
    """One inbound event.

    `handle(caller, payload)` returns the acknowledgement, a JSON object or its bytes, or raises a `NatterError`. It is
    an edge: it opens its own unit of work and answers after the commit. It never knows which transport carries it.
    """

    event: str
    payload: type[Payload]
    handle: Callable[[Caller, Any], Awaitable[Mapping[str, Any] | bytes]]
    in_read_only: bool = False
    """Whether it goes on while the app is read-only, because it changes nothing."""


class ImmediateRoute(msgspec.Struct, frozen=True):
    """One inbound event that is answered from memory, on the spot.

    `handle(connection, payload)` must not block; it returns the acknowledgement, or raises a `NatterError` before it
    has done anything. No task is made for it.
    """

    event: str
    payload: type[Payload]
    handle: Callable[[Any, Any], Mapping[str, Any]]
    unchecked: type[Payload]
    """`payload` without the checks on what its texts may hold. `handle` gets one of these first, so it must raise for a
    text that it does not know; the event is then looked at again, with all checks, to say what is wrong."""
