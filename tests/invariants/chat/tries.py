"""How strangers are tried on the data plane: the shapes of which `rest.py` and `events.py` are written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import chain, combinations
from typing import Any, TypeVar

from tests.invariants.chat.world import Kit

SLOTS = tuple(each.name for each in fields(Kit))
Slots = frozenset[str]
T = TypeVar("T")


@dataclass(frozen=True)
class Expect:
    """The status a caller gets. `twin`: when all ids exist in both tenants, so that its own thing is meant. Otherwise
    the first slot of `lost` that holds a stranger's id decides, unless `lost` names all that do (`channel+message`);
    `free` when none does: an id there is free to take."""

    twin: int
    lost: Mapping[str, int] = field(default_factory=dict)
    free: int | None = None

    def status(self, slots: Slots) -> int:
        """For a request with strangers' ids in these slots."""
        found = decide(self.lost, slots)
        if found is None:
            found = self.free
        assert found is not None, f"say what happens with another's id in {sorted(slots)}"
        return found


@dataclass(frozen=True)
class Try:
    """A request by REST with ids in slots: `lambda k: f"/v1/users/{k.user}"`. A caller without `Expect` is not tried.

    Every set of its slots is filled with the victim's ids, the others with the stranger's own; the same again with ids
    of nothing must be answered alike.
    """

    path: Callable[[Any], str]
    body: Callable[[Any], Any] | None = None
    server: Expect | None = None
    user: Expect | None = None
    varies: tuple[str, ...] = ()
    """Members of the answer that are fresh each time."""

    def callers(self) -> Iterator[tuple[str, Expect]]:
        """Who is tried."""
        if self.server is not None:
            yield "server", self.server
        if self.user is not None:
            yield "user", self.user

    def slots(self) -> Slots:
        """The slots that the request has."""
        return used(lambda kit: (self.path(kit), self.body(kit) if self.body else None))


@dataclass(frozen=True)
class Emit:
    """A socket event with ids in slots. `lost` and `free` name the error's code, null for success."""

    payload: Callable[[Any], Any]
    twin: str | None = None
    lost: Mapping[str, str] = field(default_factory=dict)
    free: str | None = None

    def code(self, slots: Slots) -> str | None:
        """For an event with strangers' ids in these slots."""
        return decide(self.lost, slots) or self.free

    def slots(self) -> Slots:
        """The slots that the payload has."""
        return used(self.payload)


@dataclass(frozen=True)
class Open:
    """A route that is the same for everybody, with or without a credential, and says nothing of any tenant."""

    why: str


class _Recorder:
    """Stands in for a kit and notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> str:
        if name not in SLOTS:
            raise AttributeError(name)
        self.asked.add(name)
        return "x"


def used(request: Callable[[Any], Any]) -> Slots:
    """The slots that a request reads."""
    recorder = _Recorder()
    request(recorder)
    return frozenset(recorder.asked)


def decide(lost: Mapping[str, T], slots: Slots) -> T | None:
    """What `lost` says of exactly these slots, or else of the first of them that it names."""
    exactly = lost.get("+".join(sorted(slots)))
    return exactly if exactly is not None else next((each for slot, each in lost.items() if slot in slots), None)


def choices(slots: Slots) -> Iterator[Slots]:
    """Every set of these slots but the empty one."""
    names = sorted(slots)
    sizes = (combinations(names, size) for size in range(1, len(names) + 1))
    return map(frozenset, chain.from_iterable(sizes))


def mix(base: Kit, other: Kit, slots: Slots) -> Kit:
    """`base`, with these slots of `other`."""
    return replace(base, **{name: getattr(other, name) for name in slots})


def sent(kit: Kit, slots: Slots) -> dict[str, str]:
    """What a request with this kit says in its slots, by slot."""
    return {name: getattr(kit, name) for name in slots}
