"""Servers are forked from a process that has loaded their code."""

import asyncio
import os
import signal
import subprocess

import pytest

from ops.errors import CannotStart
from ops.nursery import BlockingNursery, Nursery


@pytest.fixture(scope="module")
async def nursery(tmp_path_factory):
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "servers.log")
    await nursery.open()
    yield nursery
    await nursery.close()


async def end_of(server) -> int:
    async with asyncio.timeout(20):
        while server.poll() is None:
            await asyncio.sleep(0.02)
    return server.poll()


async def test_a_server_gets_exactly_the_environment_it_is_given(nursery, tmp_path):
    environment = {"PATH": os.defpath, "NATTER_CONFIG": str(tmp_path / "none.toml")}
    server = await nursery.start(["control"], environment, tmp_path / "log")
    assert await end_of(server) == 1
    assert "NATTER_CONFIG" in (tmp_path / "log").read_text(), "it complains about the file that we named"


async def test_a_server_without_its_settings_ends_with_a_word_about_it_in_its_own_log(nursery, tmp_path):
    server = await nursery.start(["worker"], {"PATH": os.defpath}, tmp_path / "log")
    assert await end_of(server) == 1
    assert "NATTER_MASTER_KEY" in (tmp_path / "log").read_text()
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


async def test_the_end_of_a_server_is_told_with_its_signal(nursery, tmp_path):
    environment = {"PATH": os.defpath, "NATTER_DATABASE_URL": "postgresql://u@127.0.0.1:1/d", **WORKER}
    server = await nursery.start(["worker"], environment, tmp_path / "log")
    await asyncio.sleep(0.3)
    assert server.poll() is None, "it waits for its database"
    server.send_signal(signal.SIGKILL)
    assert await end_of(server) == -signal.SIGKILL


async def test_servers_die_with_the_nursery_and_the_next_one_starts_another(tmp_path):
    nursery = Nursery(tmp_path / "servers.log")
    environment = {"PATH": os.defpath, "NATTER_DATABASE_URL": "postgresql://u@127.0.0.1:1/d", **WORKER}
    server = await nursery.start(["worker"], environment, tmp_path / "log")
    nursery._process.kill()
    assert await end_of(server) == -signal.SIGKILL
    again = await nursery.start(["worker"], {"PATH": os.defpath}, tmp_path / "log")
    assert await end_of(again) == 1
    await nursery.close()


async def test_code_that_cannot_be_loaded_is_told_with_its_last_words(tmp_path, monkeypatch):
    broken = tmp_path / "uvloop.py"
    broken.write_text("raise ImportError('planted')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    nursery = Nursery(tmp_path / "servers.log")
    with pytest.raises(CannotStart, match="planted"):
        await nursery.start(["worker"], {}, tmp_path / "log")
    await nursery.close()


def test_who_blocks_hears_of_servers_ends_and_of_the_nurserys(tmp_path):
    nursery = BlockingNursery(tmp_path / "servers.log")
    failed = nursery.start(["worker"], {"PATH": os.defpath}, tmp_path / "log")
    assert failed.wait(20) == 1
    assert "NATTER_MASTER_KEY" in (tmp_path / "log").read_text()
    environment = {"PATH": os.defpath, "NATTER_DATABASE_URL": "postgresql://u@127.0.0.1:1/d", **WORKER}
    waiting, other = (nursery.start(["worker"], environment, tmp_path / "log") for _ in range(2))
    assert waiting.poll() is None, "it waits for its database"
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.01)
    waiting.kill()
    assert waiting.wait(20) == -signal.SIGKILL
    nursery._process.kill()
    assert other.wait(20) == -signal.SIGKILL, "it died with the nursery"
    nursery._reader.join()
    with pytest.raises(CannotStart):
        nursery.start(["worker"], environment, tmp_path / "log")
    nursery.close()


WORKER = {
    "NATTER_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "NATTER_REDIS_URL": "redis://127.0.0.1:1/0",
    "NATTER_CREDENTIAL": "nk_something",
}
