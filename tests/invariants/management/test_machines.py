"""What machines ask of the management port: `/internal/v1` with another shard's credential, and the open routes."""

from typing import Any

import httpx
import msgspec
import pytest

from control_plane.credentials.service import create_credential, revoke_credential
from kernel.contracts import SnapshotPage, UsageReport, UsageRow
from kernel.ids import format_id
from kernel.security import keys
from tests.invariants.answers import masked, no_canary, same
from tests.invariants.management.visits import Visits
from tests.invariants.management.world import World

SNAPSHOTS, USAGE = "/internal/v1/snapshots", "/internal/v1/usage"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
async def credentials(world: World) -> dict[str, str]:
    """Of the victim's shard, of another one, and one that was revoked."""
    made = {}
    async with world.as_operator() as ctx:
        for name, kind, shard in (
            ("node", "node", "s0"),
            ("relay", "relay", "s0"),
            ("other node", "node", "s1"),
            ("other relay", "relay", "s1"),
            ("revoked", "node", "s0"),
        ):
            made[name] = await create_credential(ctx, kind=kind, name=name.replace(" ", "-"), shard=shard)
        await revoke_credential(ctx, kind="node", name="revoked")
    return made


def bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


def report(source: str, app_id: str, world: World) -> bytes:
    row = UsageRow(seq=1, app_id=app_id, meter="messages", quantity=1, at=world.deps.clock.now())
    return msgspec.json.encode(UsageReport(source=source, boot="b1", rows=(row,)))


async def apps_of(shard: str, world: World) -> set[str]:
    """The ids of the apps that live there."""
    rows = await world.database.fetch("select id from control.apps where shard = $1", shard)
    return {format_id("app", row["id"]) for row in rows}


async def test_a_node_of_another_shard_gets_nothing_of_this_one(visits: Visits, credentials: dict[str, str]) -> None:
    world = visits.world
    async with visits.unnoticed(SNAPSHOTS):
        other, text = await every_page(visits, credentials["other node"])
        own, _ = await every_page(visits, credentials["node"])
    # Apps of that shard are there when the portal's tests have come before.
    assert other == await apps_of("s1", world)
    no_canary(SNAPSHOTS, text)
    # Not for want of apps: the shard's own node gets the victim's.
    assert world.victim.kit.app in own


async def every_page(visits: Visits, credential: str) -> tuple[set[str], str]:
    """The apps that a node gets, page after page, and all that was said."""
    found: set[str] = set()
    said, since = "", 0
    while True:
        answer = await visits.http.get(SNAPSHOTS, params={"since": since}, headers=bearer(credential))
        page = msgspec.json.decode(answer.content, type=SnapshotPage)
        found |= {app.app_id for app in page.apps}
        said, since = said + answer.text, page.version
        if not page.has_more:
            return found, said


@pytest.mark.parametrize("since", [0, 1])
async def test_no_version_that_it_names_shows_it_more(visits: Visits, credentials: dict[str, str], since: int) -> None:
    answer = await visits.http.get(SNAPSHOTS, params={"since": since}, headers=bearer(credentials["other node"]))
    there = {app.app_id for app in msgspec.json.decode(answer.content, type=SnapshotPage).apps}
    assert there <= await apps_of("s1", visits.world)


async def test_a_relay_of_another_shard_reports_nothing_for_an_app_of_this_one(
    visits: Visits, credentials: dict[str, str]
) -> None:
    world = visits.world
    nothing = world.nothing(world.victim.kit).app
    async with visits.unnoticed(USAGE):
        for source, name in (("relay:s1", "other relay"), ("node:other-node", "other node")):
            answers = []
            for app_id in (world.victim.kit.app, nothing):
                response = await visits.http.post(
                    USAGE, content=report(source, app_id, world), headers=bearer(credentials[name]) | JSON
                )
                answers.append(masked(response, {"app": app_id}))
            same(f"{USAGE} as {source}", *answers)
            assert answers[0].status == 403
            assert "foreign_apps" in answers[0].body
        # Under the name of the victim's own relay or node: the credential decides who speaks.
        for source in ("relay:s0", "node:node"):
            response = await visits.http.post(
                USAGE,
                content=report(source, world.victim.kit.app, world),
                headers=bearer(credentials["other relay"]) | JSON,
            )
            assert response.status_code == 403, response.text


async def test_whatever_is_no_credential_gets_one_and_the_same_answer(
    visits: Visits, credentials: dict[str, str]
) -> None:
    world = visits.world
    presented = {
        "nothing": keys.generate("nk"),
        "a revoked one": credentials["revoked"],
        "the victim's publishable key": await world.database.fetchval(
            "select value from control.api_keys where value is not null and app_id = "
            "(select id from control.apps where organization_id = $1 limit 1)",
            world.victim.id,
        ),
        "a secret key": keys.generate("sk"),
        "a session": world.visitors["stranger"].cookies["natter_session"],
    }
    assert all(presented.values())
    body = report("relay:s0", world.victim.kit.app, world)
    async with visits.unnoticed("/internal"):
        for method, path in (("GET", SNAPSHOTS), ("POST", USAGE)):
            answers: dict[str, Any] = {}
            for name, value in presented.items():
                response = await visits.http.request(method, path, content=body, headers=bearer(value) | JSON)
                answers[name] = masked(response, {})
                same(f"{method} {path} with {name}", answers[name], answers["nothing"])
                assert answers[name].status == 401
            # A browser's cookies open none of it, whoever is signed in.
            for visitor in world.visitors.values():
                cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
                response = await visits.http.request(method, path, headers={"cookie": cookie} | JSON, content=body)
                visits.http.cookies.clear()
                assert response.status_code == 401, response.text


async def test_locate_knows_publishable_keys_and_nothing_else(visits: Visits) -> None:
    world = visits.world
    async with visits.unnoticed("/v1/locate"):
        nothing = masked(await visits.http.get("/v1/locate", params={"key": keys.generate("pk")}), {})
        assert nothing.status == 404
        secret_digest = await world.database.fetchval("select digest from control.api_keys where digest is not null")
        for key in (world.victim.kit.app, world.victim.kit.organization, world.victim.kit.secret, secret_digest[:40]):
            same("/v1/locate", masked(await visits.http.get("/v1/locate", params={"key": key}), {}), nothing)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/openapi.json"])
async def test_open_routes_say_the_same_to_everybody_and_nothing_of_any_tenant(visits: Visits, path: str) -> None:
    world = visits.world
    async with visits.unnoticed(path):
        texts = []
        for visitor in world.visitors.values():
            answer = await visits.ask("GET", path, visitor)
            assert answer.status == 200
            texts.append(answer.body)
    names = (world.victim.kit.app, world.victim.kit.organization, str(world.victim.id))
    assert not [name for name in names for text in texts if name in text]
    if path != "/metrics":
        assert len(set(texts)) == 1


async def test_static_files_are_those_of_the_folder_and_no_others(visits: Visits) -> None:
    nobody = visits.world.visitors["nobody"]
    front = await visits.ask("GET", "/sign-in", nobody)
    path = front.body.partition('href="/static/')[2].partition('"')[0]
    assert (await visits.ask("GET", f"/static/{path}", nobody)).status == 200
    digest = path.partition("/")[0]
    for trial in ("../portal/app.py", "..%2f..%2fpyproject.toml", "%2e%2e/%2e%2e/pyproject.toml", "/etc/passwd", "css"):
        async with httpx.AsyncClient(base_url=visits.world.url, trust_env=False) as http:
            answer = await http.send(
                http.build_request("GET", httpx.URL(f"{visits.world.url}/static/{digest}/{trial}"))
            )
        assert answer.status_code == 404, trial
        assert "[project]" not in answer.text


def test_ids_of_nothing_are_none(world: World) -> None:
    """The comparisons rest on it."""
    kit = world.victim.kit
    assert world.nothing(kit).app != kit.app
    assert format_id("org", world.victim.id) == kit.organization


async def test_reports_of_leaked_keys_are_answered_alike_whatever_they_name(visits: Visits) -> None:
    world, kit = visits.world, visits.world.victim.kit
    digest = await world.database.fetchval("select digest from control.api_keys where digest is not null")
    named = (keys.generate("sk"), keys.generate("nk"), kit.app, kit.secret, digest, "")
    async with visits.unnoticed("/v1/leaks"):
        answers = []
        for token in named:
            report = {"found": [{"token": token, "url": f"https://example.com/{kit.app}"}]}
            answers.append(masked(await visits.http.post("/v1/leaks", json=report), {}))
            same("/v1/leaks", answers[0], answers[-1])
        assert answers[0].status == 202
        unsigned = await visits.http.post("/v1/leaks/github", json=[{"token": kit.secret, "type": "x", "url": ""}])
        # No key of GitHub's can be had here, so that nothing is believed.
        assert unsigned.status_code == 503


async def test_what_stripe_would_tell_is_not_heard_where_it_takes_no_money(visits: Visits) -> None:
    async with visits.unnoticed("/webhooks/stripe"):
        answer = await visits.http.post("/webhooks/stripe", content=b"{}", headers={"stripe-signature": "t=1,v1=00"})
    assert answer.status_code == 404
