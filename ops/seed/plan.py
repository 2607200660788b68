"""Who there is and who talks where: decided by a seed alone, before anything is written."""

from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Final

from ops.seed import words

GUESTS: Final = {"demo-ada": "Ada", "demo-grace": "Grace"}
"""The users that the portal's live demo acts as: ordinary users here, in many channels, so that the demo has much to
show."""
_SHARE_OF_GUESTS: Final = (0.75, 0.5)
"""Of the channels, for each of them."""
_TYPES: Final = (("direct", 0.24), ("group", 0.70), ("team", 0.92), ("support", 0.98), ("livestream", 1.0))
"""By rising share."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user."""

    id: str
    name: str
    title: str


@dataclass(slots=True)
class Room:
    """A channel. `members` are ids, the creator first; `weights` say who of them talks how much, added up."""

    id: str
    type: str
    name: str | None
    members: list[str]
    weights: list[float] = field(repr=False, default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """A tenant. `weights` say how much is said in each channel, added up."""

    people: list[Person]
    rooms: list[Room]
    weights: list[float]


def make_plan(*, seed: int, users: int, channels: int) -> Plan:
    """The tenant of a seed: people, channels of every type, memberships and shares of talk with a long tail."""
    dice = Random(f"{seed} plan")  # noqa: S311 - the same every time is what it is for
    guests = [Person(id, name, "Demo") for id, name in list(GUESTS.items())[:users]]
    others = [
        Person(f"s{seed}-u{number}", words.person(dice), dice.choice(words.TITLES))
        for number in range(users - len(guests))
    ]
    people = guests + others
    # Some are everywhere, most in a few places.
    ids = [person.id for person in people]
    outgoing = list(accumulate(1 / (place + 3) ** 0.6 for place in range(len(ids))))
    rooms = [_room(dice, seed, place, ids, outgoing) for place in range(channels)]
    shares = [1 / (place + 1.5) ** 0.9 for place in range(channels)]
    dice.shuffle(shares)
    for place, room in enumerate(rooms):
        shares[place] *= min(3.0, 0.5 + len(room.members) / 8)
    return Plan(people, rooms, list(accumulate(shares)))


def _room(dice: Random, seed: int, place: int, ids: list[str], outgoing: list[float]) -> Room:
    luck = dice.random()
    type = next(name for name, below in _TYPES if luck < below)
    wanted = min(len(ids), _size(dice, type, len(ids)))
    guests = [id for id, share in zip(GUESTS, _SHARE_OF_GUESTS, strict=True) if id in ids and dice.random() < share]
    members = dict.fromkeys(guests[:wanted])
    while len(members) < wanted:
        # The well connected first; when these are all in, anybody.
        found = dice.choices(ids, cum_weights=outgoing, k=1)[0] if len(members) < wanted * 0.8 else dice.choice(ids)
        members[found] = None
    chosen = list(members)
    dice.shuffle(chosen)
    name = None if type == "direct" else words.room(place)
    talk = [1 / (rank + 1) ** 1.1 for rank in range(len(chosen))]
    return Room(f"s{seed}-c{place}", type, name, chosen, list(accumulate(talk)))


def _size(dice: Random, type: str, users: int) -> int:
    if type == "direct":
        return 2
    if type == "support":
        return dice.randint(2, 4)
    if type == "livestream":
        return max(2, int(users * dice.uniform(0.1, 0.4)))
    most = 25 if type == "group" else max(4, users // 4)
    return 2 + min(most, int(dice.paretovariate(0.9 if type == "team" else 1.2) * (4 if type == "team" else 2)))
