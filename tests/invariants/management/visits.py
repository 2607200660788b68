"""Requests of browsers, and the comparison of what they get."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import httpx

from tests.invariants.answers import Answer, Leak, masked, no_canary, same
from tests.invariants.coverage import Operation
from tests.invariants.management.pages import Inside, Personal, Slots, typed
from tests.invariants.management.world import FRESH, SLOTS, House, Kit, Visitor, World
from tests.invariants.rows import unchanged

MANNERS: dict[str, dict[str, str]] = {
    "page": {"accept": "text/html"},
    "part": {"accept": "text/html", "hx-request": "true"},
    "program": {"accept": "application/json"},
}
"""The ways in which the portal is asked: as a page, by htmx for a part of one, by a script."""
OUTSIDE = {"nobody": (303, 401), "machine's owner": (303, 401)}
"""Who is not signed in to any account is sent to the door; everybody else finds nothing."""


class Visits:
    """What browsers ask of the server, or of an application in its place."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world = world
        self.http = http

    async def ask(
        self,
        method: str,
        path: str,
        visitor: Visitor,
        *,
        form: Mapping[str, str] | None = None,
        said: Mapping[str, str] | None = None,
        manner: str = "page",
        show: bool = False,
    ) -> Answer:
        """One request, its answer masked. Raises `Leak` when it holds the victim's content, unless `show` allows it."""
        headers = dict(MANNERS[manner])
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        content = None
        if form is not None:
            fresh = self.world.form_id
            filled = {name: fresh(visitor, path) if value == FRESH else value for name, value in form.items()}
            content = {"csrf": self.world.csrf(visitor)} | filled
        response = await self.http.request(method, path, headers=headers, data=content)
        self.http.cookies.clear()
        if response.status_code >= 500:
            raise Leak(f"{method} {path} as {visitor.name}: {response.status_code}")
        answer = masked(response, {"csrf": self.world.csrf(visitor), **(said or {})})
        if not show:
            no_canary(f"{method} {path} as {visitor.name}", str(answer))
        return answer

    @asynccontextmanager
    async def unnoticed(self, what: str, house: House | None = None) -> AsyncIterator[None]:
        """Raise `Leak` when the block changes a row of the house, by default the victim's."""
        house = house or self.world.victim
        before = await self.world.rows_of(house)
        yield
        unchanged(what, before, await self.world.rows_of(house))

    # -- from outside --------------------------------------------------------------------------------------------------

    async def sweep(self, operation: Operation, entry: Inside, visitor: Visitor) -> None:
        """Try the victim's things in every set of slots, the visitor's own in the others. Raises `Leak`."""
        own: Kit | None = None
        for slots in choices(entry.slots()):
            if slots != entry.slots():
                if visitor.name != "stranger":
                    continue  # only the stranger has things of its own
                own = own or (await self.world.house()).kit
            theirs = self.world.victim.kit
            async with self.unnoticed(f"{' '.join(operation)} as {visitor.name}"):
                for manner in MANNERS:
                    answers = [
                        await self._send(operation, entry, visitor, mix(own, kit, slots), manner)
                        for kit in (theirs, self.world.nothing(theirs))
                    ]
                    what = f"{operation[0]} {entry.path(theirs)} as {visitor.name}, asking for a {manner}"
                    same(f"{what}, with their {' and '.join(sorted(slots))}", *answers)
                    self._check(what, entry, visitor, slots, answers[0])

    def _check(self, what: str, entry: Inside, visitor: Visitor, slots: Slots, answer: Answer) -> None:
        wanted = OUTSIDE.get(visitor.name, (entry.done,) if slots <= entry.filters else (404,))
        if answer.status not in wanted:
            raise Leak(f"{what}: answered {answer.status}, not {wanted}:\n{answer}")

    async def _send(self, operation: Operation, entry: Inside, visitor: Visitor, kit: Kit, manner: str) -> Answer:
        form = entry.form(kit) if entry.form else None
        said = {name: getattr(kit, name) for name in entry.slots()}
        return await self.ask(operation[0], entry.path(kit), visitor, form=form, said=said, manner=manner)

    async def personal(self, operation: Operation, entry: Personal, visitor: Visitor, kit: Kit) -> Answer:
        """A page about the visitor."""
        form = dict(entry.form(kit)) if entry.form else None
        said = {"session": kit.session} if entry.session else {}
        return await self.ask(operation[0], entry.path(kit), visitor, form=form, said=said)

    # -- from inside ---------------------------------------------------------------------------------------------------

    async def try_role(self, operation: Operation, entry: Inside, role: str) -> None:
        """A member of this role gets what the table of roles says, and no refusal changes anything. Raises `Leak`."""
        world = self.world
        # Whatever changes nothing leaves the house to the next one.
        house, visitor = world.untouched.pop(role, None) or (
            await world.house(with_role=role),
            await world.signed_in(role, world.people[role]),
        )
        kit = house.kit
        before = await world.rows_of(house)
        what = f"{operation[0]} {entry.path(kit)} as {role}"
        async with self.unnoticed(what):
            answer = await self._send(operation, entry, visitor, kit, "page")
        if answer.status != entry.status(role):
            raise Leak(f"{what}: answered {answer.status}, not {entry.status(role)}:\n{answer}")
        after = await world.rows_of(house)
        if answer.status == 403:
            unchanged(what, before, after)
        elif operation[0] == "POST" and entry.changes and before == after:
            raise Leak(f"{what}: said {answer.status} and did nothing, so its refusals prove nothing either")
        if before == after:
            world.untouched[role] = house, visitor


def choices(slots: Slots) -> list[Slots]:
    """Every set of these slots but the empty one."""
    names = sorted(slots)
    sizes = (combinations(names, size) for size in range(1, len(names) + 1))
    return [frozenset(each) for each in chain.from_iterable(sizes)]


def mix(own: Kit | None, other: Kit, slots: Slots) -> Kit:
    """One's own things, with these of the other; all of the other's where one has none."""
    if own is None:
        return other
    names: list[Any] = [*slots, *typed(slots)]
    return replace(own, **{name: getattr(other, name) for name in names})


__all__ = ["MANNERS", "OUTSIDE", "SLOTS", "Visits", "choices", "mix"]
