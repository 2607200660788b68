"""A Redis or Valkey server: reachable, new enough, and set up so that it forgets nothing at the wrong moment."""

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

from kernel.redis import REDIS_ERRORS, connect_server
from kernel.redis_url import cluster_members
from ops.doctor.finding import Finding, bad, good, warning

_OLDEST: Final = {"Valkey": 8, "Redis": 7}


async def check_redis(what: str, url: str, *, jobs: bool = False) -> AsyncIterator[Finding]:
    """Look at one server, or at a cluster with its members. `jobs`: dramatiq's, which must not be a cluster."""
    if not url:
        yield bad(what, "not configured", "Set NATTER_REDIS_URL, or start a private one with natter up.")
        return
    try:
        members = cluster_members(url)
        info = await _info(members[0] if members else url)
    except (*REDIS_ERRORS, ValueError) as error:
        yield bad(what, f"cannot be reached: {error}", "Is it running, and are address and password right?")
        return
    yield _version(what, info)
    is_cluster = bool(info.get("cluster_enabled"))
    if jobs and is_cluster:
        yield bad(what, "is a cluster", "Jobs need a server that is none: NATTER_JOBS_REDIS_URL.")
    elif is_cluster and not members:
        yield bad(what, "is a member of a cluster", "Name it as one: redis+cluster://host:port,host:port.")
    elif members and not is_cluster:
        yield bad(what, "is no cluster", "Name it by redis://, or turn cluster-enabled on.")
    elif members:
        for member in members:
            yield await _member(what, member)
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        yield warning(what, f"drops keys when memory is full ({policy})", "Set maxmemory-policy noeviction.")


async def _info(url: str) -> dict[str, Any]:
    client = connect_server(url, name="natter-doctor")
    try:
        return await client.info()
    finally:
        await client.aclose()


async def _member(what: str, url: str) -> Finding:
    """Whether a named member is there and finds every slot served."""
    address = urlsplit(url).netloc.rpartition("@")[2]
    client: Any = connect_server(url, name="natter-doctor")
    try:
        told = await client.execute_command("CLUSTER INFO")
    except REDIS_ERRORS as error:
        return warning(what, f"{address} cannot be reached: {error}", "Name members that run, or start it.")
    finally:
        await client.aclose()
    info = told if isinstance(told, dict) else dict(line.split(":", 1) for line in told.decode().split())
    if info["cluster_state"] != "ok":
        return bad(what, f"{address} says that the cluster is {info['cluster_state']}", "Is every slot served?")
    return good(what, f"{address}: a cluster of {info['cluster_size']} masters")


def _version(what: str, info: dict[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version"))
    if int(version.partition(".")[0]) < _OLDEST[name]:
        return bad(
            what, f"{name} {version}", f"Natter needs Redis 7 or Valkey 8, or newer ({name} {version} is older)."
        )
    return good(what, f"{name} {version}")
