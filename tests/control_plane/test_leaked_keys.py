"""Keys that are found in public: they end once, their owners hear of it, and nobody learns more."""

import base64
import dataclasses
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import text

from control_plane.apps.service import delete_app, set_leaked_keys
from control_plane.keys.api_keys import create_secret_key, revoke_api_key
from control_plane.keys.leaks import LeakJobs
from control_plane.keys.reads import ApiKeyView, list_api_keys
from control_plane.members import Member
from control_plane.tenants import NewApp
from kernel.outbox import OutboxRunner
from kernel.security import keys
from tests.control_plane.fixtures import World
from tests.control_plane.site import Site
from tests.control_plane.test_keys import pem

GITHUB = ec.generate_private_key(ec.SECP256R1())
WHERE = "https://github.com/ada/engine/blob/main/.env#L3"


@dataclass
class Tenant:
    world: World
    owner: Member
    made: NewApp

    async def keys(self) -> dict[str, ApiKeyView]:
        """Of the secret ones, by their last four characters."""
        async with self.world.deps.read(self.owner) as uow:
            views = await list_api_keys(uow.session, self.made.app, now=self.world.clock.now())
        return {view.last_four: view for view in views if view.kind == "secret"}

    async def key(self) -> str:
        async with self.world.deps.change_as(self.owner, None) as ctx:
            return (await create_secret_key(ctx, self.made.app.id)).value


async def tenant(world: World, email: str = "ada@example.com") -> Tenant:
    owner = await world.owner(email, f"House of {email}")
    return Tenant(world, owner, await world.app(owner))


async def judge(world: World) -> None:
    runner = OutboxRunner(world.deps.database, "control", LeakJobs(world.deps).handlers(), world.clock)
    while ids := await runner.take_due():
        for row_id in ids:
            assert await runner.run(row_id)


async def audited(world: World, app_id: UUID) -> list[tuple[str, dict[str, Any]]]:
    async with world.deps.database.unit_of_work(read_only=True) as uow:
        rows = await uow.session.execute(
            text(
                "select action, data from control.audit_entries where app_id = :app "
                "and actor = 'system:leaked-keys' order by id"
            ),
            {"app": app_id},
        )
        return [(row.action, row.data) for row in rows]


def signed(body: bytes, private: ec.EllipticCurvePrivateKey = GITHUB, name: str = "k1") -> dict[str, str]:
    signature = base64.b64encode(private.sign(body, ec.ECDSA(SHA256()))).decode()
    return {
        "content-type": "application/json",
        "Github-Public-Key-Identifier": name,
        "Github-Public-Key-Signature": signature,
    }


def published(*named: tuple[str, Any]) -> bytes:
    listed = [{"key_identifier": name, "key": pem(private), "is_current": True} for name, private in named]
    return json.dumps({"public_keys": listed}).encode()


def test_a_scanner_knows_a_key_by_its_form_alone() -> None:
    pattern = re.compile(keys.PATTERN)
    for _ in range(200):
        key = keys.generate("sk")
        found = pattern.findall(f'const KEY="{key}"; // not {key[:-1]}')
        assert found == [key]
        assert keys.well_formed("sk", found[0])
        spoiled = key[:20] + ("0" if key[20] != "0" else "1") + key[21:]
        assert pattern.fullmatch(spoiled)
        assert not keys.well_formed("sk", spoiled), "the checksum tells noise from a key"


async def test_anybody_who_holds_a_key_ends_it_and_learns_nothing_more(world: World) -> None:
    ada = await tenant(world)
    developer = await world.member(ada.owner, "dev@example.com", "developer")
    billing = await world.member(ada.owner, "money@example.com", "billing")
    exposed, ended = await ada.key(), await ada.key()
    async with world.deps.change_as(ada.owner, None) as ctx:
        gone = (await ada.keys())[ended[-4:]]
        await revoke_api_key(ctx, ada.made.app.id, gone.id)
    async with world.serve() as http:
        answers: list[httpx.Response] = []
        for token in (
            exposed,
            exposed,
            ended,
            keys.generate("sk"),
            "sk_" + "0" * 39,
            "hello",
            ada.made.publishable_key,
        ):
            report = {"found": [{"token": token, "url": "https://evil.example/click-here"}]}
            answers.append(await http.post("/v1/leaks", json=report))
        seen = {(one.status_code, one.content, *sorted(set(one.headers) - {"x-request-id"})) for one in answers}
        assert len(seen) == 1
        assert answers[0].status_code == 202
        # What has the form waits as a digest, whether or not there is such a key.
        async with world.deps.database.unit_of_work(read_only=True) as uow:
            waiting = (await uow.session.execute(text("select payload::text from control.outbox"))).scalars().all()
        assert len(waiting) == 4
        assert not [row for row in waiting if exposed[3:] in row or ended[3:] in row]
        await judge(world)
        await judge(world)
        too_many = {"found": [{"token": "x"}] * 101}
        assert (await http.post("/v1/leaks", json=too_many)).status_code == 422
        assert (await http.post("/v1/leaks", json={"found": "x"})).status_code == 422
        while (refused := await http.post("/v1/leaks", json={"found": []})).status_code == 202:
            pass
        assert (refused.status_code, refused.json()["policy"]) == (429, "leaks.ip")

    now = await ada.keys()
    view = now[exposed[-4:]]
    assert (view.state, view.exposed_by, view.exposed_where) == (
        "revoked",
        "anybody",
        "https://evil.example/click-here",
    )
    assert now[(ada.made.secret_key or "")[-4:]].state == "live"
    letters = [one for one in await world.letters() if one.kind == "key_exposed"]
    assert sorted(one.to for one in letters) == sorted([ada.owner.email, developer.email])
    assert billing.email not in {one.to for one in letters}
    assert not [one for one in letters if "evil" in one.text + one.html], "a stranger's words are in no letter"
    did = await audited(world, ada.made.app.id)
    assert [(action, data.get("done")) for action, data in did] == [
        ("api_key.exposed", "revoked"),
        ("api_key.revoked", None),
        ("api_key.exposed", "nothing, it had ended"),
    ]


async def test_an_app_may_want_to_be_told_alone_and_a_deleted_one_is_left_in_peace(world: World) -> None:
    ada, bob = await tenant(world), await tenant(world, "bob@example.com")
    exposed = ada.made.secret_key or ""
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_leaked_keys(ctx, ada.made.app.id, False)
    async with world.deps.change_as(bob.owner, None) as ctx:
        await delete_app(ctx, bob.made.app.id, confirm=bob.made.app.name)
    async with world.serve() as http:
        both = {"found": [{"token": exposed}, {"token": bob.made.secret_key}]}
        assert (await http.post("/v1/leaks", json=both)).status_code == 202
        await judge(world)
        world.clock.advance(timedelta(hours=1))
        await http.post("/v1/leaks", json=both)
        await judge(world)
    assert (await ada.keys())[exposed[-4:]].state == "live"
    assert [data["done"] for _, data in await audited(world, ada.made.app.id)] == ["told"]
    assert [data["done"] for _, data in await audited(world, bob.made.app.id)] == ["nothing, it had ended"]
    (letter,) = [one for one in await world.letters() if one.kind == "key_exposed"]
    assert letter.to == ada.owner.email
    assert "still works" in letter.text


async def test_github_is_believed_by_its_published_keys_and_nobody_else(world: World, site: Site) -> None:
    ada = await tenant(world)
    exposed = ada.made.secret_key or ""
    settings = dataclasses.replace(world.deps.settings, github_keys_url=site.url)
    deps = dataclasses.replace(world.deps, settings=settings, jwks=site.fetcher)
    body = json.dumps([{"source": "commit", "token": exposed, "type": "natter_secret_key", "url": WHERE}]).encode()
    stranger, other_curve = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    async with world.serve(deps) as http:

        async def post(content: bytes, headers: dict[str, str]) -> int:
            return (await http.post("/v1/leaks/github", content=content, headers=headers)).status_code

        site.says(b"", "500 x")
        assert await post(body, signed(body)) == 503, "who signed it cannot be known yet"
        site.says(published(("k1", GITHUB), ("k2", other_curve)))
        assert await post(body, signed(body)) == 503, "the list is not asked again within a minute"
        world.clock.advance(timedelta(minutes=1))
        for content, headers in (
            (body, signed(body, stranger)),
            (body, signed(body, other_curve, "k2")),
            (body, signed(body, GITHUB, "unknown")),
            (body + b" ", signed(body)),
            (body, signed(body) | {"Github-Public-Key-Signature": "no base64"}),
            (body, {"content-type": "application/json"}),
        ):
            assert await post(content, headers) == 401
        assert len(site.asked) == 2, "strangers' names do not make us ask"
        await judge(world)
        assert (await ada.keys())[exposed[-4:]].state == "live"

        assert await post(body, signed(body)) == 202
        await judge(world)
        (view,) = (await ada.keys()).values()
        assert (view.state, view.exposed_by, view.exposed_where) == ("revoked", "github", WHERE)
        (letter,) = [one for one in await world.letters() if one.kind == "key_exposed"]
        assert "github.com/ada/engine/blob/main/.env#L3" in letter.text
        # A key that GitHub withdraws is believed for a day, and a new one as soon as it signs.
        world.clock.advance(timedelta(minutes=2))
        site.says(published(("k3", stranger)))
        assert await post(b"[]", signed(b"[]", stranger, "k3")) == 202
        assert await post(b"[]", signed(b"[]")) == 401
        assert await post(b"{}", signed(b"{}", stranger, "k3")) == 422
