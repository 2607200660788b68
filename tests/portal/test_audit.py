"""The page of the audit log."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.apps.service import rename_app
from portal.audit.words import action_words, actor_words, summary
from portal.http.wording import relative, size
from tests.portal.apps.forms import submit
from tests.portal.harness import Portal


async def test_entries_tell_who_did_what_and_when(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    member = await portal.organization(ada)
    made = await portal.app_of(member)
    async with portal.deps.change_as(member, "req_rename") as ctx:
        await rename_app(ctx, made.app.id, "Helpdesk")
    client, path = await portal.client(ada), f"/organizations/{member.public_organization_id}/audit"
    page = (await client.get(path)).text
    for text in ("App renamed", "Ada Lovelace", "Support chat → Helpdesk", "req_rename", "in Helpdesk"):
        assert text in page
    assert f'title="{portal.clock.now():%-d %b %Y}' in page, "the absolute time stands on hover"


async def test_the_log_is_filtered_and_paged(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    member = await portal.organization(ada)
    made = await portal.app_of(member)
    async with portal.deps.change_as(member, "req_test") as ctx:
        for index in range(60):
            await rename_app(ctx, made.app.id, f"Name {index:02}")
    client, path = await portal.client(ada), f"/organizations/{member.public_organization_id}/audit"
    first = (await client.get(f"{path}?action=app.renamed")).text.partition("<tbody>")[2]
    assert "→ Name 59" in first
    assert "→ Name 09" not in first
    assert "App created" not in first
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = (await client.get(following)).text.partition("<tbody>")[2]
    assert "→ Name 09" in second
    assert "App created" not in second, "the filter stays on the next page"
    assert "No such entries" in (await client.get(f"{path}?actor=system:quota")).text
    assert (await client.get(f"{path}?app=app_nothing")).status_code == 404
    assert (await client.get(f"{path}?cursor=nothing")).status_code == 422


async def test_it_is_narrowed_to_days_exported_and_proved(portal: Portal) -> None:
    ada = await portal.account("ada@example.com")
    member = await portal.organization(ada)
    made = await portal.app_of(member)
    first_day = portal.clock.now()
    portal.clock.advance(timedelta(days=2))
    async with portal.deps.change_as(member, "req_late") as ctx:
        await rename_app(ctx, made.app.id, "Helpdesk")
    again = await portal.sign_in("ada@example.com")
    client, path = await portal.client(again), f"/organizations/{member.public_organization_id}/audit"
    late = (await client.get(f"{path}?since={first_day + timedelta(days=1):%Y-%m-%d}")).text.partition("<tbody>")[2]
    early = (await client.get(f"{path}?until={first_day:%Y-%m-%d}")).text.partition("<tbody>")[2]
    assert ("App renamed" in late, "App created" in late) == (True, False)
    assert ("App renamed" in early, "App created" in early) == (False, True)
    assert (await client.get(f"{path}?since=tomorrow")).status_code == 422

    answer = await submit(client, path, f"{path}/export")
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-org_')
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["action"] == "audit.exported", "that it was taken is in it"
    page = (await client.get(f"{path}?check=yes")).text
    assert f"{len(lines)}:{lines[-1]['hash']}" in page
    assert "The log is whole." in page
    narrowed = await submit(client, f"{path}?action=app.renamed", f"{path}/export")
    assert [json.loads(line)["action"] for line in narrowed.text.splitlines()] == ["app.renamed"]

    await portal.sql(
        "do $$ begin set local session_replication_role = replica; update control.audit_entries set actor = 'x'; end $$"
    )
    page = (await client.get(f"{path}?check=yes")).text
    assert "The log does not fit together." in page
    assert "was changed" in page


def test_words_of_entries() -> None:
    assert action_words("api_key.rotated") == "API key rotated"
    assert actor_words("account:acc_1", "Ada") == "Ada"
    assert actor_words("account:acc_1", None) == "A former member"
    assert actor_words("system:quota", None) == "Natter (quota)"
    assert actor_words("operator:cli", None) == "Operator (cli)"
    assert summary({"before": ["*"], "after": ["a", "b"]}) == "* → a, b"
    assert summary({"name": "Chat", "environment": "development", "shard": "s0"}) == (
        "Name: Chat · Environment: development"
    )
    assert summary({}) == ""
    assert summary({"over": "stop", "amount": 150_000}, "app.budget_changed") == "Amount: 1,500.00 USD · Then: stop"
    assert summary({"over": "stop", "amount": None}, "app.budget_changed") == "Amount: none · Then: stop"
    assert summary({"value": {"per": 1, "price": 10}}) == "Value: per: 1, price: 10"


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(), "just now"),
        (timedelta(seconds=-44), "just now"),
        (timedelta(seconds=-50), "1 minute ago"),
        (timedelta(minutes=-59), "59 minutes ago"),
        (timedelta(minutes=-61), "1 hour ago"),
        (timedelta(hours=-30), "1 day ago"),
        (timedelta(days=-31), "15 Oct 2026"),
        (timedelta(seconds=10), "in a moment"),
        (timedelta(days=7), "in 7 days"),
    ],
)
def test_relative_times(away: timedelta, words: str) -> None:
    now = datetime(2026, 11, 15, 12, tzinfo=UTC)
    assert relative(now + away, now) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12 MB"), (999_999, "1.0 MB")],
)
def test_sizes(value: int, words: str) -> None:
    assert size(value) == words
