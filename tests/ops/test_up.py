"""`natter up` as a person runs it: real processes, killed in every way that happens."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ops.installation import Folder, Runtime
from ops.ports import free_port, is_free
from tests.engines import reachable_folder

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(240)]
NATTER = [sys.executable, "-m", "ops.cli"]


def free_base() -> int:
    """A port for the control plane, with those of some nodes 100 above it."""
    while True:
        base = free_port(highest=21_000)
        if all(is_free(base + 100 + index) for index in range(4)):
            return base


class Installation:
    """A folder with a `natter up` in it."""

    def __init__(self) -> None:
        self.folder = reachable_folder()
        self.base = free_base()
        self.state = Folder(self.folder / ".natter")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("NATTER_")} | {
            "PYTHONPATH": str(Path(__file__).parents[2])
        }
        self.process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*NATTER, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self, *arguments: str) -> dict:
        """Start and wait until it is ready; returns what it said then."""
        self.process = subprocess.Popen(
            [*NATTER, "up", "--json", "--port-base", str(self.base), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "said").open("w"),
            text=True,
        )
        line = self.process.stdout.readline()
        assert line, self.said()
        return json.loads(line)

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def runtime(self) -> Runtime:
        return Runtime.load(self.state)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)
        return self.process.returncode

    def clear(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        wait_until(lambda: self.left_over() == [])
        shutil.rmtree(self.folder, ignore_errors=True)

    def left_over(self) -> list[str]:
        """Processes that work in this folder or below it."""
        found = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and (process / "cwd").readlink().is_relative_to(self.folder):
                    found.append((process / "cmdline").read_bytes().decode().replace("\0", " "))
            except OSError:
                continue
        return found


def wait_until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            return answer.status
    except OSError:
        return None


@pytest.fixture(scope="module")
def running():
    """Two shards with a node each. The tests below go through its life in order."""
    installation = Installation()
    try:
        installation.ready = installation.up("--shards", "2")
        yield installation
    finally:
        installation.clear()


def test_once_it_says_so_everything_answers(running):
    assert running.ready["control_url"] == f"http://127.0.0.1:{running.base}"
    assert [node["shard"] for node in running.ready["nodes"]] == ["s0", "s1"]
    for url in (running.ready["control_url"], *(node["url"] for node in running.ready["nodes"])):
        assert status(url) == 200
    assert (running.folder / ".natter" / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_it_says_where_the_portal_is_and_how_to_open_the_outbox(running):
    portal = running.ready["portal_url"]
    assert portal == running.ready["control_url"]
    assert running.ready["outbox_url"].startswith(f"{portal}/local/")
    another = json.loads(running.run("outbox", "--json").stdout)["outbox_url"]
    assert another.startswith(f"{portal}/local/")
    assert another != running.ready["outbox_url"]
    assert running.run("outbox").stdout.startswith(f"{portal}/local/")


def test_a_first_staff_account_is_made_beside_it(running):
    first, again = (
        json.loads(running.run("staff", "create", "--email", "root@example.com", "--json").stdout) for _ in range(2)
    )
    assert first["url"].startswith(f"{running.ready['portal_url']}/reset/")
    assert (first["created"], again["created"]) == (True, False)
    assert first["account_id"] == again["account_id"]
    assert first["url"] != again["url"]
    told = running.run("staff", "create", "--email", "root@example.com", "--name", "Root")
    assert "sets its password, once" in told.stdout
    refused = running.run("staff", "create", "--email", "root")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "must be an e-mail address" in refused.stderr


def test_a_second_one_says_that_it_is_running_and_where(running):
    second = running.run("up")
    assert second.returncode == 1
    assert f"process {running.process.pid}" in second.stderr
    assert running.ready["control_url"] in second.stderr


def test_a_tenant_made_beside_it_is_found_by_its_key(running):
    made = running.run("tenant", "create", "--email", "a@b.cd", "--organization", "Acme", "--app", "Chat", "--json")
    assert made.returncode == 0, made.stderr
    running.tenant = json.loads(made.stdout)
    assert set(running.tenant) == {"app_id", "url", "publishable_key", "secret_key"}
    assert locate(running) == running.tenant["app_id"]


def locate(running) -> str:
    url = f"{running.ready['control_url']}/v1/locate?key={running.tenant['publishable_key']}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["app_id"]


def test_a_tenant_can_be_put_on_either_shard(running):
    for shard, node in zip(("s0", "s1"), running.ready["nodes"], strict=True):
        options = ("--email", "a@b.cd", "--organization", "Acme", "--app", "Chat", "--shard", shard, "--json")
        assert json.loads(running.run("tenant", "create", *options).stdout)["url"] == node["url"]


def test_a_credential_can_be_made_for_one_more_node(running):
    made = running.run("credential", "create", "--kind", "node", "--name", "extra", "--shard", "s1", "--json")
    assert json.loads(made.stdout)["credential"].startswith("nk_")


def test_the_doctor_finds_it_in_good_health(running):
    seen = running.run("doctor", "--json")
    findings = json.loads(seen.stdout)
    assert [finding for finding in findings if finding["status"] == "bad"] == []
    assert any("up to date" in finding["detail"] for finding in findings)


def test_no_secret_is_on_a_command_line(running):
    secrets = json.loads((running.folder / ".natter" / "secrets.json").read_text())
    hidden = [secrets["master_key"], secrets["postgres"], secrets["runtime"], *secrets["valkey"].values()]
    for line in running.left_over():
        assert not any(secret in line for secret in [*hidden, *secrets["credentials"].values()])


@pytest.mark.parametrize("name", ["node-s0-n0", "control", "worker"])
def test_a_killed_server_comes_back(running, name):
    before = running.runtime().processes[name]
    os.kill(before.pid, signal.SIGKILL)
    title = {"control": "control plane"}.get(name, name.replace("node-", "node "))
    wait_until(lambda: f"{title} is ready again" in running.said())
    assert running.runtime().processes[name].pid != before.pid


def test_a_killed_database_comes_back_and_the_servers_find_it(running):
    pid = int((running.folder / ".natter" / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "PostgreSQL 18.6 is ready again" in running.said())
    wait_until(lambda: status(running.ready["control_url"]) == 200)
    wait_until(lambda: status(running.ready["nodes"][0]["url"]) == 200)


def test_after_a_kill_of_the_supervisor_nothing_is_left_and_the_next_start_has_all_data(running):
    running.process.kill()
    running.process.communicate()
    wait_until(lambda: running.left_over() == [])
    running.ready = running.up()
    assert "did not end in good order" in running.said()
    assert [node["shard"] for node in running.ready["nodes"]] == ["s0", "s1"], "it remembers its shards"
    assert locate(running) == running.tenant["app_id"]


def test_fewer_shards_than_there_are_is_refused(running):
    assert running.stop() == 0
    refused = running.run("up", "--port-base", str(running.base), "--shards", "1")
    assert refused.returncode == 1
    assert "--shards 2" in refused.stderr


def test_after_a_stop_nothing_is_left_and_nothing_needs_mending(running):
    assert running.left_over() == []
    assert "Stopped. The data stays" in running.said()
    running.up("--nodes", "2", "--no-worker")
    assert "did not end in good order" not in running.said()
    assert len(running.runtime().nodes) == 4
    assert running.stop() == 0


def test_a_taken_port_is_named_with_its_holder_and_the_way_out():
    installation = Installation()
    try:
        with socket.create_server(("127.0.0.1", installation.base + 100)):
            refused = installation.run("up", "--port-base", str(installation.base))
        assert refused.returncode == 1
        assert f"Port {installation.base + 100}, which is for node s0-n0, is taken by" in refused.stderr
        assert "--port-base" in refused.stderr
    finally:
        installation.clear()


def test_ctrl_c_while_it_starts_ends_it_cleanly():
    installation = Installation()
    try:
        process = subprocess.Popen(
            [*NATTER, "up", "--port-base", str(installation.base)],
            cwd=installation.folder,
            env=installation.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "A new installation" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert installation.left_over() == []
    finally:
        installation.clear()


async def test_external_engines_are_used_when_they_are_configured(fresh_database, redis_url):
    database = await fresh_database("empty")
    installation = Installation()
    installation.environment |= {
        "NATTER_DATABASE_URL": database.url,
        "NATTER_MIGRATION_URL": database.superuser_url,
        "NATTER_REDIS_URL": redis_url,
    }
    try:
        ready = installation.up()
        assert status(ready["nodes"][0]["url"]) == 200
        assert not (installation.folder / ".natter" / "postgres").exists()
        made = installation.run("tenant", "create", "--email", "a@b.cd", "--organization", "A", "--app", "B", "--json")
        assert json.loads(made.stdout)["url"] == ready["nodes"][0]["url"]
        assert installation.stop() == 0
    finally:
        installation.clear()
