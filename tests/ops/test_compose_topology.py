"""The topology of compose.yaml, run as processes: two users chat across its two nodes, and all of it is counted."""

import asyncio
import base64
import json
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
import redis

from kernel.contracts import Meter
from tests.engines import reachable_folder
from tests.invariants.wire import Wire
from tests.ops.compose_file import Unset
from tests.ops.compose_run import Composition, command_lines, of

pytestmark = pytest.mark.scenario
FOLLOWER_PERIOD = 1.0
"""Seconds within which a node finds what the bus did not bring."""


@pytest.fixture(scope="module")
async def composition(free_ports: Callable[[int], list[int]]) -> AsyncIterator[Composition]:
    """Everything up."""
    environ = {
        "NATTER_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "PORTAL_URL": "https://chat.example.com",
        **{name: secrets.token_hex(24) for name in ("POSTGRES_PASSWORD", "DATABASE_PASSWORD", "REDIS_PASSWORD")},
    }
    names = ("control", "node1", "node2", "bus", "jobs", "postgres")
    folder = reachable_folder()
    made = Composition(folder, environ, dict(zip(names, free_ports(len(names)), strict=True)))
    try:
        await asyncio.to_thread(made.up)
        yield made
    finally:
        await asyncio.to_thread(made.down)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
async def tenant(composition: Composition) -> dict[str, Any]:
    """Opened as docs/deploy.md says."""
    command = "natter tenant create --email ada@example.com --organization Acme --app Chat --json"
    made = await asyncio.to_thread(composition.run, "control", *command.split())
    found: dict[str, Any] = json.loads(made)
    return found


def node(composition: Composition, name: str) -> str:
    return f"http://127.0.0.1:{composition.ports[name]}"


async def database(composition: Composition, name: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=composition.ports["postgres"],
        user="postgres",
        password=composition.environ["POSTGRES_PASSWORD"],
        database=name,
    )


async def until(true: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := await true()):
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.1)
    return found


def test_every_service_runs_or_has_run_and_each_server_is_well(composition: Composition) -> None:
    assert set(composition.ended) == {"migrate", "credentials"}
    assert set(composition.processes) == {"bus", "jobs", "control", "node1", "node2", "worker"}
    assert "applied" in composition.ended["migrate"]
    assert composition.ended["credentials"].count("made ") == 3


def test_each_process_has_the_variables_of_the_file_and_its_ports_and_no_others(composition: Composition) -> None:
    for name in ("control", "node1", "node2", "worker"):
        real = {each for each in of(composition.processes[name]) if each.startswith("NATTER_")}
        ports = {"NATTER_CONTROL_PORT", "NATTER_NODE_PORT"}
        assert real - ports == set(composition.services[name]["environment"])


def test_no_secret_stands_on_a_command_line_of_ours(composition: Composition) -> None:
    lines = command_lines()
    for name in ("NATTER_MASTER_KEY", "POSTGRES_PASSWORD", "DATABASE_PASSWORD"):
        assert composition.environ[name] not in lines, name


def test_running_it_all_again_makes_nothing_anew(composition: Composition) -> None:
    files = sorted((composition.folder / "volumes").glob("*-*"))
    before = [file.read_text() for file in files]
    assert len(before) == 3
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert "applied" not in composition.run("migrate")
    assert composition.run("credentials") == ""
    assert [file.read_text() for file in files] == before


def test_a_credential_whose_file_was_lost_is_replaced(composition: Composition) -> None:
    file = composition.folder / "volumes" / "relay-s0"
    before = file.read_text()
    kept = composition.folder / "kept"
    file.rename(kept)
    try:
        said = composition.run("credentials")
        assert said.strip() == f"made {file}"
        assert file.read_text() != before
    finally:
        # The worker that runs shows the old one, which is revoked now; it is made anew as Compose would after an edit.
        worker = composition.processes.pop("worker")
        worker.terminate()
        assert worker.wait(30) == 0, composition.log("worker")
        composition._start("worker")
        composition._wait("worker", "service_healthy")


async def test_the_tenants_address_is_that_of_a_node(composition: Composition, tenant: dict[str, Any]) -> None:
    nodes = {node(composition, "node1"), node(composition, "node2")}
    assert tenant["url"] in nodes
    async with httpx.AsyncClient(trust_env=False) as http:
        located = await http.get(node(composition, "control") + "/v1/locate", params={"key": tenant["publishable_key"]})
    assert located.json()["url"] in nodes


async def test_two_users_chat_across_the_nodes_through_the_bus(
    composition: Composition, tenant: dict[str, Any]
) -> None:
    headers = {"authorization": f"Bearer {tenant['secret_key']}"}
    async with httpx.AsyncClient(base_url=node(composition, "node1"), headers=headers, trust_env=False) as http:

        async def known() -> bool:
            return (await http.get("/v1/channels")).status_code == 200

        await until(known)
        tokens = {
            user: (await http.post("/v1/tokens", json={"user_id": user})).json()["access_token"]
            for user in ("alice", "bob")
        }
        made = await http.post("/v1/channels", json={"id": "general", "members": ["alice", "bob"]})
        assert made.status_code == 201, made.text
    alice = await Wire.open(node(composition, "node1"), {"token": tokens["alice"]})
    bob = await Wire.open(node(composition, "node2"), {"token": tokens["bob"]})
    took = []
    for number in range(5):
        began = time.monotonic()
        for here, there, text in ((alice, bob, f"hello {number}"), (bob, alice, f"hello to you {number}")):
            answer = orjson.loads(await here.call("message.send", {"channel_id": "general", "text": text}))[0]
            assert "message" in answer, answer

            async def heard(there: Wire = there, text: str = text) -> bool:
                return any("message.created" in frame and text in frame for frame in there.events)

            await until(heard)
        took.append(time.monotonic() - began)
    # Ten times there and back within what one round of the follower takes: the bus brought them.
    assert min(took) < FOLLOWER_PERIOD / 2, took
    for wire in (alice, bob):
        await wire.close()


async def test_what_was_said_is_counted_in_the_control_database(
    composition: Composition, tenant: dict[str, Any]
) -> None:
    connection = await database(composition, "natter_control")
    wanted: dict[Meter, int] = {"messages": 10, "mau": 2}

    async def counted() -> bool:
        rows = await connection.fetch("select meter, sum(quantity)::int as n from control.usage_hourly group by meter")
        counts = {row["meter"]: row["n"] for row in rows}
        return counts.pop("storage_bytes", 0) > 0 and counts == wanted

    await until(counted)
    await connection.close()


async def test_side_effects_go_through_the_second_valkey_alone(
    composition: Composition, tenant: dict[str, Any]
) -> None:
    headers = {"authorization": f"Bearer {tenant['secret_key']}"}
    async with httpx.AsyncClient(base_url=node(composition, "node2"), headers=headers, trust_env=False) as http:
        assert (await http.delete("/v1/channels/general")).status_code == 204
    connection = await database(composition, "natter_s0")

    async def disbanded() -> bool:
        return not await connection.fetchval("select count(*) from chat.outbox") and not await connection.fetchval(
            "select count(*) from chat.members where channel_id = 'general'"
        )

    await until(disbanded)
    await connection.close()
    keys = {}
    for name in ("bus", "jobs"):
        with redis.Redis(port=composition.ports[name], password=composition.environ["REDIS_PASSWORD"]) as client:
            keys[name] = {key.decode() for key in client.keys("*")}
            if name == "jobs":
                assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert any(key.startswith("natter-jobs") for key in keys["jobs"])
    assert not any(key.startswith("natter-jobs") for key in keys["bus"])


def test_doctor_looks_at_both_valkeys_and_both_databases(composition: Composition) -> None:
    # Not `run`: doctor also looks at ports, which are taken, by the very servers of this test.
    import subprocess

    done = subprocess.run(
        ["natter", "doctor", "--json"],
        env=composition.environment("worker"),
        cwd=composition.folder / "empty",
        capture_output=True,
        text=True,
        check=False,
    )
    findings = json.loads(done.stdout)
    seen = {finding["what"] for finding in findings}
    assert {"redis of s0", "redis for jobs", "database of the control plane", "database of s0"} <= seen
    bad = [each for each in findings if each["status"] != "good" and "port" not in each["what"]]
    assert [each["what"] for each in bad] == ["mail"], "whose server is the installation's own to choose"


def test_it_stops_in_good_order(composition: Composition) -> None:
    codes = composition.down()
    composition.processes.clear()
    composition._postgres = None
    assert codes == dict.fromkeys(codes, 0)


def test_without_a_secret_nothing_starts(composition: Composition) -> None:
    for name in composition.environ:
        rest = {each: value for each, value in composition.environ.items() if each != name}
        with pytest.raises(Unset, match=name):
            Composition(reachable_folder(), rest, composition.ports)
