"""Overview, usage, settings: what they show, and to whom."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.apps.reads import get_app
from tests.portal.apps.forms import forms_of, submit
from tests.portal.apps.rooms import Room


async def use(room: Room, meter: str, at: datetime, quantity: int) -> None:
    """Usage as the rollup would have it."""
    await room.portal.sql(
        "insert into control.usage_hourly (app_id, meter, hour, quantity) values ($1, $2, $3, $4)",
        room.made.app.id,
        meter,
        at.replace(minute=0, second=0, microsecond=0),
        quantity,
    )


async def origins(room: Room) -> list[str]:
    async with room.portal.deps.read(room.member) as uow:
        return (await get_app(uow.session, room.member, room.made.app.id)).allowed_origins


def now_of(room: Room) -> datetime:
    return room.portal.deps.clock.now().astimezone(UTC)


async def test_the_overview_brings_a_newcomer_to_the_first_message(room: Room) -> None:
    page = (await room.client.get(room.path)).text
    assert "First steps" in page
    assert f"{room.path}/demo" in page
    assert room.made.publishable_key in page
    assert room.made.app.public_id in page


async def test_the_overview_of_an_app_in_use_shows_its_month(room: Room) -> None:
    await use(room, "messages", now_of(room), 1_204)
    page = (await room.client.get(room.path)).text
    assert "First steps" not in page
    assert "1,204" in page
    assert "of 200,000 messages" in page


async def test_a_viewer_sees_no_keys_on_the_overview(room: Room, address: Callable[[], str]) -> None:
    client = await room.as_role(address(), "viewer")
    page = await client.get(room.path)
    assert page.status_code == 200
    assert room.made.publishable_key not in page.text


async def test_a_month_without_usage_says_so(room: Room) -> None:
    page = (await room.client.get(f"{room.path}/usage")).text
    assert "No usage yet this month." in page
    assert "Limit 200,000 messages" in page


async def test_usage_is_told_as_number_chart_and_table(room: Room) -> None:
    now = now_of(room)
    await use(room, "messages", now, 150_000)
    await use(room, "mau", now, 12)
    page = (await room.client.get(f"{room.path}/usage")).text
    assert "150,000 <span>of 200,000 messages</span>" in page
    assert f"<title>{now.day} {now:%B}: 150,000 messages, 150,000 messages so far</title>" in page
    assert f'<td>{now.day} {now:%b %Y}</td><td class="number">150,000</td>' in page
    assert "75% used" in page or "Limit in sight" in page


async def test_a_reached_limit_says_what_happens_and_until_when(room: Room) -> None:
    await use(room, "messages", now_of(room), 250_000)
    await room.portal.sql("update control.entitlements set used = 250000 where app_id = $1", room.made.app.id)
    page = (await room.client.get(f"{room.path}/usage")).text
    assert "Limit reached" in page
    assert "New messages are refused until 1 " in page


async def test_an_unlimited_meter_has_no_limit_to_show(room: Room) -> None:
    await room.portal.sql(
        "update control.entitlements set included = null, over = 'bill' where app_id = $1", room.made.app.id
    )
    await use(room, "messages", now_of(room), 5)
    page = (await room.client.get(f"{room.path}/usage")).text
    assert "messages, no limit" in page
    assert "chart-limit" not in page


async def test_months_lead_back_to_the_first_usage_and_no_further(room: Room) -> None:
    first = now_of(room).replace(day=1) - timedelta(days=1)
    await use(room, "messages", first, 7)
    current = await room.client.get(f"{room.path}/usage")
    assert f"{room.path}/usage?month={first:%Y-%m}" in current.text
    past = await room.client.get(f"{room.path}/usage?month={first:%Y-%m}")
    assert "7 <span>of 200,000 messages</span>" in past.text
    assert "chart-forecast" not in past.text
    for month in ("1999-01", "2999-01", "nonsense", "2026-13"):
        assert (await room.client.get(f"{room.path}/usage?month={month}")).status_code == 404


async def test_an_app_is_renamed(room: Room) -> None:
    done = await submit(room.client, f"{room.path}/settings", f"{room.path}/settings/name", app="  Help desk ")
    assert done.status_code == 303
    assert "Help desk" in (await room.client.get(f"{room.path}/settings")).text
    refused = await submit(room.client, f"{room.path}/settings", f"{room.path}/settings/name", app=" ")
    assert refused.status_code == 422
    assert "Enter a name." in refused.text


async def test_origins_are_added_and_removed(room: Room) -> None:
    settings, add, remove = (f"{room.path}/settings{tail}" for tail in ("", "/origins/add", "/origins/remove"))
    assert "Any web page may connect." in (await room.client.get(settings)).text
    await submit(room.client, settings, add, allowed_origins="https://Chat.Example.com")
    assert await origins(room) == ["https://chat.example.com"], "the first one replaces *"
    await submit(room.client, settings, add, allowed_origins="http://localhost:3000")
    assert await origins(room) == ["https://chat.example.com", "http://localhost:3000"]
    form = next(form for form in forms_of((await room.client.get(settings)).text) if form.action == remove)
    await room.client.post(remove, data=form.values)
    assert await origins(room) == ["http://localhost:3000"]
    page = (await room.client.get(settings)).text
    assert [form for form in forms_of(page) if form.action == remove] == [], "the last one stays"
    opening = next(form for form in forms_of(page) if form.values.get("allowed_origins") == "*")
    await room.client.post(add, data=opening.values)
    assert await origins(room) == ["*"]


@pytest.mark.parametrize(("who", "none"), [("guests", "No guests are"), ("anonymous", "No anonymous visitors are")])
async def test_guests_and_visitors_are_let_in_and_no_more(room: Room, who: str, none: str) -> None:
    settings, action = f"{room.path}/settings", f"{room.path}/settings/{who}"
    for allowed in (True, False):
        form = next(form for form in forms_of((await room.client.get(settings)).text) if form.action == action)
        await room.client.post(action, data=form.values)
        async with room.portal.deps.read(room.member) as uow:
            app = await get_app(uow.session, room.member, room.made.app.id)
        assert getattr(app, who) is allowed
        assert (f"{none} let in." in (await room.client.get(settings)).text) is not allowed


@pytest.mark.parametrize(
    "typed", ["chat.example.com", "https://chat.example.com/path", "ftp://x.example", "", "https://*.example.com"]
)
async def test_what_is_no_origin_is_refused_beside_the_field(room: Room, typed: str) -> None:
    answer = await submit(
        room.client, f"{room.path}/settings", f"{room.path}/settings/origins/add", allowed_origins=typed
    )
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert await origins(room) == ["*"]


async def test_a_viewer_may_look_at_settings_and_change_nothing(room: Room, address: Callable[[], str]) -> None:
    client = await room.as_role(address(), "viewer")
    page = await client.get(f"{room.path}/settings")
    assert page.status_code == 200
    assert [form.action for form in forms_of(page.text) if form.action.startswith(room.path)] == []
    csrf = forms_of(page.text)[0].values["csrf"]
    answer = await client.post(f"{room.path}/settings/name", data={"csrf": csrf, "app": "Mine"})
    assert answer.status_code == 403
