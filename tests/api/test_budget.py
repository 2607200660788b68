"""Every route and socket event keeps to the statements that it declares, whatever the size of what it is about."""

import math
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from data_plane import features
from kernel.ids import parse_id
from tests.api.budgets import FURNITURE, SIZES, Statements
from tests.api.house import House, bearer
from tests.api.line import Line
from tests.api.sweep import load
from tests.api.test_socket_sweep import EVENTS
from tests.api.test_sweep import ROUTES, furnish
from tests.api.wire import request
from tests.clients.conftest import WIDE
from tests.clients.installation import Tenant
from tests.engines import Engines

LAST = (
    "DELETE /v1/channels",
    "DELETE /v1/messages/{message_id}",
    "POST /v1/messages/{message_id}/hide",
    "POST /v1/users/{user_id}/revoke",
)
"""Calls after which others find nothing, in this order; before them, what takes away less."""
WAKE = 5
"""Statements that a call may be charged with which are another's."""
INSTEAD: dict[str, dict[str, Any]] = {
    "message.send": {"id": None},
    "thread.read": {"reply_id": None},
    "PUT /v1/messages/{message_id}/thread/read": {"reply_id": None},
    "message.delete": {"id": "{second}"},
    "message.restore": {"id": "{second}"},
    "message.hide": {"id": "{second}"},
    "auth.refresh": {"token": "{token}"},
    "POST /v1/channels/{channel_id}/messages": {"id": None},
    "POST /v1/tokens/refresh": {"refresh_token": "{refresh}"},
    "POST /v1/guests": {"key": "{key}"},
}
"""Where an entry is no call that is good here: fields to take otherwise, or to leave out."""

Counts = dict[str, list[int]]


@pytest.fixture(scope="module")
def own_house(engines: Engines, free_ports: Callable[[int], list[int]]) -> Iterator[House]:
    """A node that nobody else calls."""
    house = House(engines, free_ports)
    house.open()
    yield house
    house.close()


def rank(name: str) -> tuple[int, int, int]:
    """Where a call stands in the order."""
    last = next((place for place, start in enumerate(LAST, start=1) if name.startswith(start)), 0)
    takes_away = name.startswith("DELETE") or "deactivate" in name or "leave" in name
    return last, int(takes_away), int(not name.startswith("PUT"))


async def enlarge(house: House, tenant: Tenant, size: int) -> None:
    connection = await house.chat.connect()
    app_id: UUID = parse_id("app", tenant.snapshot.app_id)
    for statement in FURNITURE.split(";"):
        arguments = (app_id, size) if "$2" in statement else (app_id,)
        await connection.execute(statement, *arguments)
    await connection.close()


async def call_all(house: House, statements: Statements, tenant: Tenant, counts: Counts) -> None:
    """Every route and event once, on a tenant that nobody else uses."""
    operations = {
        f"{method.upper()} {path}": operation["operationId"]
        for path, item in load()["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    }
    token = house.token(tenant, "ada")
    known = {
        "{token}": token,
        "{key}": tenant.publishable_key,
        "{refresh}": (await house.on_loop(tenant.post("/v1/tokens", user_id="ada")))["refresh_token"],
        "{second}": (await _send(house, tenant))["message"]["id"],
    }

    def good(name: str, body: dict[str, Any]) -> bytes:
        changed = {**body, **INSTEAD.get(name, {})}
        return orjson.dumps(
            {
                field: known.get(value, value) if isinstance(value, str) else value
                for field, value in changed.items()
                if field not in INSTEAD.get(name, {}) or value is not None
            }
        )

    refused = []
    line = await Line.connected(house.url, token)
    await statements.take()
    for name, payload in EVENTS.items():
        answer = await line.ask(name, good(name, payload))
        counts.setdefault(name, []).append(len(await statements.take()))
        if answer is None or "error" in answer:
            refused.append(f"{name}: {answer}")
    await line.close()
    await statements.take()
    for name in sorted(ROUTES, key=rank):
        entry, (method, path) = ROUTES[name], name.split()
        credential = {"server": tenant.secret_key, "user": token, "nobody": None}[entry.credential]
        headers = [*bearer(credential).items()] if credential else []
        headers += [(header, operations[name]) for header in entry.headers]
        content = None
        if entry.body is not None:
            headers, content = [*headers, ("content-type", "application/json")], good(name, entry.body)
        answer = await request(house.url, method, path.format(**entry.path), headers, content)
        counts.setdefault(operations[name], []).append(len(await statements.take()))
        if answer.status >= 400:
            refused.append(f"{name}: {answer}")
    assert not refused, "\n".join(refused)


async def _send(house: House, tenant: Tenant) -> Any:
    return await house.on_loop(tenant.post("/v1/channels/general/messages", text="Once more", user_id="ada"))


async def measured(house: House, sizes: tuple[int, ...] = SIZES) -> Counts:
    counts: Counts = {}
    statements = Statements(house)
    with statements.watching():
        for size in sizes:
            tenant = await house.on_loop(house.installation.tenant(limits=WIDE, guests=True))
            await house.on_loop(furnish(tenant))
            # Who pins is somebody who may.
            await house.on_loop(tenant.put("/v1/channels/general/members/ada", role="moderator"))
            await enlarge(house, tenant, size)
            statements.begin()
            await call_all(house, statements, tenant, counts)
            await house.on_loop(tenant.close())
    return counts


@pytest.fixture(scope="module")
async def counts(own_house: House) -> Counts:
    """Statements of each call, by operation or event, at each size. What a busy machine has a node do late only adds to
    them: what is over is measured again, and the lesser count stands."""
    counts = await measured(own_house)
    for _ in range(3):
        if not over(counts, features.STATEMENTS):
            break
        again = await measured(own_house)
        counts = {name: [*map(min, taken, again[name])] for name, taken in counts.items()}
    return counts


def over(counts: Counts, budget: dict[str, int]) -> list[str]:
    """What is wrong. What a node does in the wake of one call (loading what others look at) may be counted with the
    next, so a call is judged by the size at which it took least, and by what no wake explains: statements that grow
    with the data."""
    wrong = []
    for name, taken in counts.items():
        if name not in budget:
            wrong.append(f"{name} declares no budget; it took {taken} statements")
        elif min(taken) > budget[name] or taken[-1] > budget[name] + WAKE:
            wrong.append(f"{name} took {taken} statements at sizes {SIZES}; it declares {budget[name]}")
    return wrong


def test_every_route_and_event_keeps_to_what_it_declares_at_every_size(counts: Counts) -> None:
    assert over(counts, features.STATEMENTS) == []
    assert set(features.STATEMENTS) == set(counts), "declared, and there no more"


def test_what_is_declared_is_close_to_what_is_taken(counts: Counts) -> None:
    """A budget far above what is needed would let anything pass."""
    wide = [
        f"{name}: {budget} for {max(counts[name])}"
        for name, budget in features.STATEMENTS.items()
        if name in counts and budget > max(counts[name]) + max(2, math.ceil(max(counts[name]) / 3))
    ]
    assert wide == []


def test_a_call_without_a_budget_or_beyond_it_is_noticed(counts: Counts) -> None:
    budget = dict(features.STATEMENTS)
    del budget["getChannel"]
    budget["listMembers"] = 0
    assert sorted(line.split()[0] for line in over(counts, budget)) == ["getChannel", "listMembers"]
    assert over({**counts, "queryUsers": [3, 12, 102]}, features.STATEMENTS)
