"""A Redis or Valkey server: reachable, new enough, and set up so that it forgets nothing at the wrong moment."""

from collections.abc import AsyncIterator
from typing import Any, Final

from redis.exceptions import RedisError

from kernel.redis import connect_redis
from ops.doctor.finding import Finding, bad, good, warning

_OLDEST: Final = {"Valkey": 8, "Redis": 7}


async def check_redis(what: str, url: str, *, jobs: bool = False) -> AsyncIterator[Finding]:
    """Look at one server. `jobs`: dramatiq's, which must not be a cluster."""
    if not url:
        yield bad(what, "not configured", "Set NATTER_REDIS_URL, or start a private one with natter up.")
        return
    client: Any = None
    try:
        client = connect_redis(url, name="natter-doctor")
        info = await client.info()
    except (RedisError, OSError, ValueError) as error:
        yield bad(what, f"cannot be reached: {error}", "Is it running, and are address and password right?")
        return
    finally:
        if client is not None:
            await client.aclose()
    yield _version(what, info)
    if jobs and info.get("redis_mode") == "cluster":
        yield bad(what, "is a cluster", "Jobs need a server that is none: NATTER_JOBS_REDIS_URL.")
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        yield warning(what, f"drops keys when memory is full ({policy})", "Set maxmemory-policy noeviction.")


def _version(what: str, info: dict[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version"))
    if int(version.partition(".")[0]) < _OLDEST[name]:
        return bad(
            what, f"{name} {version}", f"Natter needs Redis 7 or Valkey 8, or newer ({name} {version} is older)."
        )
    return good(what, f"{name} {version}")
