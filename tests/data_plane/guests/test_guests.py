"""Guests: let in by the publishable key where the app wants it, users like others from then on, and kept in bounds."""

import asyncio
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from data_plane.guests.errors import GuestsOff
from data_plane.guests.schemas import MAX_NAME, guest_name
from data_plane.guests.service import Guests
from data_plane.identity.errors import NoSigningKey, OriginNotAllowed
from data_plane.limits.limiter import Limiter
from data_plane.query.schemas import Query
from data_plane.tenancy.errors import AppSuspended, QuotaExceeded
from data_plane.users.query import query_users
from kernel.clock import month_of
from kernel.contracts import Quota, RateLimit
from kernel.errors import Forbidden, RateLimited, Unauthenticated
from kernel.security import keys
from tests.data_plane.node import Node


def guests_of(node: Node) -> Guests:
    limiter = Limiter(cast(Any, None), node.clock, CollectorRegistry())
    limiter.away = True  # without Redis each node counts for itself
    return Guests(node.shard, node.authenticator, limiter)


async def test_a_guest_is_a_user_with_its_role_who_counts_once_it_comes(node: Node) -> None:
    node.change(node.tenant, guests=True)
    made = await guests_of(node).create(node.tenant.publishable_key, "  Ivy\u202e \x00 B. ", origin=None)
    assert (made["user"]["id"], made["user"]["role"], made["user"]["name"]) == (made["user_id"], "guest", "Ivy B.")
    assert await node.rows("select 1 from chat.usage_outbox") == [], "who only took tokens is not active"
    caller = node.authenticator.bearer(made["access_token"])
    assert (caller.user_id, caller.app_id) == (made["user_id"], node.tenant.app_id)
    assert caller.token_issued_at is not None
    await node.activity.touch(caller.app, caller.app_id, made["user_id"], caller.token_issued_at)
    assert [row["meter"] for row in await node.rows("select meter from chat.usage_outbox")] == ["mau"]
    again = await node.tokens.refresh(made["refresh_token"], origin=None)
    assert again.user_id == made["user_id"]


async def test_nobody_comes_in_where_the_app_does_not_want_it(node: Node) -> None:
    guests, tenant = guests_of(node), node.tenant

    async def refused(error: type[Exception], **changes: Any) -> None:
        node.change(tenant, **changes)
        with pytest.raises(error):
            await guests.create(tenant.publishable_key, None, origin="https://evil.example")

    await refused(GuestsOff)
    await refused(OriginNotAllowed, guests=True, allowed_origins=("https://shop.example",))
    await refused(AppSuspended, allowed_origins=("*",), status="suspended")
    signing = tenant.snapshot.signing_keys
    await refused(NoSigningKey, status="active", signing_keys=())
    month = month_of(node.clock.now())
    full = Quota(meter="mau", period=month, used=5, limit=5, over="stop", exceeded=True)
    await refused(QuotaExceeded, signing_keys=signing, quotas=(full,))
    for key in (keys.generate("pk"), tenant.secret_key, ""):
        with pytest.raises(Unauthenticated):
            await guests.create(key, None, origin=None)
    assert await node.rows("select 1 from chat.users") == []


async def test_an_app_takes_so_many_guests_and_no_more(node: Node) -> None:
    node.change(node.tenant, guests=True, limits=(RateLimit(policy="guests.app", per_second=1, burst=3),))
    guests = guests_of(node)
    coming = [guests.create(node.tenant.publishable_key, None, origin=None) for _ in range(4)]
    outcomes = await asyncio.gather(*coming, return_exceptions=True)
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 1
    assert len(await node.rows("select 1 from chat.users where role = 'guest'")) == 3


async def test_a_guest_looks_up_whom_it_can_name_and_searches_for_nobody(node: Node) -> None:
    node.change(node.tenant, guests=True)
    made = await guests_of(node).create(node.tenant.publishable_key, "Ivy", origin=None)
    guest = node.authenticator.bearer(made["access_token"])
    ada = node.authenticator.bearer(node.user_token("ada"))

    async def found(caller: Any, filter: dict[str, Any]) -> list[str]:
        async with node.shard.unit_of_work(caller.app_id, read_only=True) as uow:
            return [user["id"] for user in (await query_users(uow, caller, Query(filter=filter)))["users"]]

    named = {"id": {"$in": [made["user_id"], "nobody"]}}
    assert await found(guest, named) == [made["user_id"]]
    assert await found(ada, {"role": "guest"}) == [made["user_id"]]
    for filter in ({}, {"role": "guest"}, {"id": {"$autocomplete": "guest"}}, {"$or": [named, {"role": "user"}]}):
        with pytest.raises(Forbidden):
            await found(guest, filter)


@pytest.mark.parametrize(
    ("wish", "kept"),
    [
        (None, None),
        ("", None),
        ("\u200b\u2066\x07", None),
        ("A\n\tB\u2003C", "A B C"),
        ("e\u0301", "\u00e9"),
        ("x" * MAX_NAME, "x" * MAX_NAME),
    ],
)
def test_a_guests_name_shows_what_it_holds(wish: str | None, kept: str | None) -> None:
    assert guest_name(wish) == kept
