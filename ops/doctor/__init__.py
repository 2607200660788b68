"""What `natter doctor` looks at: this machine, the databases, the Redis servers."""

from collections.abc import AsyncIterator

from kernel.settings import Settings, load_settings
from ops.configuration import problems
from ops.doctor.finding import Finding, bad, good
from ops.doctor.machine import check_disk, check_ports, check_programs, check_python
from ops.doctor.mail import check_mail
from ops.doctor.postgres import check_database
from ops.doctor.redis import check_redis
from ops.installation import Folder, Runtime, installed_settings

__all__ = ["Finding", "examine"]


async def examine() -> AsyncIterator[Finding]:
    """Check one thing after another. Raises `SettingsError`, `CannotStart` when there is no configuration to check."""
    configured, settings = load_settings(), installed_settings()
    folder = Folder(settings.data_dir)
    runtime = Runtime.load(folder)
    running = folder.is_locked()

    wrong = list(problems(settings))
    for problem in wrong:
        yield bad("configuration", problem, "natter config check explains every setting.")
    if not wrong:
        yield good("configuration", "valid")
    yield check_python()
    yield check_disk(folder.root)
    for finding in check_programs(configured):
        yield finding
    for finding in check_ports(configured, runtime if running else None):
        yield finding
    if not wrong:
        yield await check_mail(settings)
    if not running and _is_private(configured):
        yield good("engines", "private ones, which run while `natter up` does; start it, and look again for more")
        return
    async for finding in _check_engines(settings):
        yield finding


def _is_private(configured: Settings) -> bool:
    return not configured.database_url or not (configured.redis_url or configured.shards)


async def _check_engines(settings: Settings) -> AsyncIterator[Finding]:
    async for finding in check_database("control", settings.database_url, settings.migration_url):
        yield finding
    for shard in settings.all_shards():
        async for finding in check_database("chat", shard.database_url, shard.migration_url or "", shard=shard.id):
            yield finding
        async for finding in check_redis(f"redis of {shard.id}", shard.redis_url):
            yield finding
    if settings.jobs_redis_url:
        async for finding in check_redis("redis for jobs", settings.jobs_redis_url, jobs=True):
            yield finding
