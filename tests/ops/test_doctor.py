"""`natter doctor` against real engines, in good and in bad shape."""

import pytest

import ops.doctor
from kernel.settings import Settings, ShardSettings
from ops.doctor.postgres import check_database
from ops.doctor.redis import check_redis
from ops.migrations import newest_revision

# The tests' server, and no other, runs like this.
ON_PURPOSE = [
    f"{name} is off, so acknowledged messages can be lost. "
    f"Set {name} = on in postgresql.conf, and see that no user or database overrides it."
    for name in ("fsync", "full_page_writes")
]


async def findings(check) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {"good": [], "warning": [], "bad": []}
    async for finding in check:
        told[finding.status].append(f"{finding.detail}. {finding.way_out}")
        assert finding.status == "good" or finding.way_out, "each problem has a way out"
    return told


async def test_a_migrated_database_is_in_good_shape(chat_database):
    told = await findings(check_database("chat", chat_database.url, ""))
    assert told["bad"] == ON_PURPOSE
    assert told["warning"] == []
    assert any(f"revision {newest_revision('chat')}" in text for text in told["good"])


async def test_a_server_without_fsync_is_found(chat_database):
    told = await findings(check_database("chat", chat_database.url, ""))
    assert any("acknowledged messages can be lost" in text for text in told["bad"])


async def test_an_empty_database_wants_a_migration(fresh_database):
    database = await fresh_database("empty")
    told = await findings(check_database("chat", database.superuser_url, ""))
    assert any("natter migrate" in text for text in told["bad"])


async def test_a_superuser_as_runtime_login_is_a_warning(chat_database):
    told = await findings(check_database("chat", chat_database.superuser_url, ""))
    assert any("superuser" in text for text in told["warning"])


async def test_commits_that_are_not_durable_are_found(chat_database):
    connection = await chat_database.connect()
    await connection.execute(f'alter database "{chat_database.name}" set synchronous_commit = off')
    await connection.close()
    told = await findings(check_database("chat", chat_database.url, ""))
    assert any("synchronous_commit is off" in text for text in told["bad"])


@pytest.mark.parametrize("url", ["postgresql://u:p@127.0.0.1:1/d", "mysql://h/d", ""])
async def test_a_database_that_cannot_be_reached_is_told_in_words(url):
    assert (await findings(check_database("control", url, "")))["bad"]


async def test_a_wrong_password_is_told_apart(chat_database):
    url = chat_database.url.replace("natter:", "natter:wrong", 1)
    assert "password" in (await findings(check_database("chat", url, "")))["bad"][0]


async def test_redis_is_found_in_good_shape_or_away(redis_url):
    assert (await findings(check_redis("redis", redis_url)))["good"]
    assert (await findings(check_redis("redis", "redis://127.0.0.1:1/0")))["bad"]
    assert (await findings(check_redis("redis", redis_url.replace("valkey-password", "wrong"))))["bad"]


async def test_a_cluster_is_found_in_good_shape_and_wants_its_own_scheme(cluster, redis_url):
    told = await findings(check_redis("redis", cluster.url))
    assert (told["bad"], told["warning"]) == ([], [])
    assert sum("a cluster of 3 masters" in text for text in told["good"]) == 2
    member = cluster.servers[1].url
    assert any("redis+cluster://" in text for text in (await findings(check_redis("redis", member)))["bad"])
    assert any("no cluster" in text for text in (await findings(check_redis("redis", one_of(redis_url))))["bad"])
    assert any("JOBS" in text for text in (await findings(check_redis("jobs", cluster.url, jobs=True)))["bad"])


async def test_a_named_member_that_is_away_is_a_warning(cluster):
    told = await findings(check_redis("redis", f"{cluster.url},127.0.0.1:1"))
    assert (told["bad"], len(told["warning"])) == ([], 1)


def one_of(url: str) -> str:
    """A lone server, named as if it were a cluster."""
    return url.replace("redis://", "redis+cluster://", 1).removesuffix("/0")


async def test_everything_together_with_external_engines(
    control_database, chat_database, redis_url, free_ports, tmp_path, monkeypatch
):
    settings = Settings(
        data_dir=tmp_path,
        database_url=control_database.url,
        redis_url=redis_url,
        shards=(ShardSettings(id="a", database_url=chat_database.url, redis_url=redis_url),),
        control_port=free_ports(1)[0],
        node_port=free_ports(1)[0],
    )
    monkeypatch.setattr(ops.doctor, "load_settings", lambda: settings)
    monkeypatch.setattr(ops.doctor, "installed_settings", lambda: settings)
    told = await findings(ops.doctor.examine())
    assert [text for text in told["bad"] if "fsync" not in text and "full_page_writes" not in text] == []
    assert len(told["good"]) > 10
