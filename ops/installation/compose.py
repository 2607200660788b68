"""From what is configured and what `natter up` made itself to one complete `Settings`."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from kernel.settings import Settings, SettingsError, ShardSettings, load_settings
from ops.embedded.postgres import SUPERUSER
from ops.installation.folder import Folder
from ops.installation.runtime import Runtime
from ops.installation.secrets import Secrets

RUNTIME_LOGIN: Final = "natter"
CONTROL_DATABASE: Final = "natter_control"
_DEFAULT_CONTROL_URL: Final = "http://127.0.0.1:8000"


def shard_database(shard: str) -> str:
    """The name of a shard's database on the private server."""
    return f"natter_{shard}"


def compose(settings: Settings, secrets: Secrets, runtime: Runtime) -> Settings:
    """Fill in what is not configured from the installation. What is configured always stands.

    `runtime` must know the ports of the engines that are private, and the number of shards.
    Raises `SettingsError` when shards are asked for that external engines leave no room for.
    """
    filled = {
        "data_dir": settings.data_dir.absolute(),
        "master_key": settings.master_key or secrets.master_key,
        "control_url": settings.control_url,
    }
    if settings.control_url == _DEFAULT_CONTROL_URL:
        filled["control_url"] = runtime.control_url or control_url(settings)
    filled["portal_url"] = settings.portal_url or runtime.control_url or control_url(settings)
    if not settings.database_url:
        filled["database_url"] = private_database(runtime, RUNTIME_LOGIN, secrets.runtime, CONTROL_DATABASE)
        filled["migration_url"] = private_database(runtime, SUPERUSER, secrets.postgres, CONTROL_DATABASE)
    shards = settings.shards or tuple(_shard(settings, secrets, runtime, index) for index in range(runtime.shards))
    shards = tuple(_with_relay_credential(shard, secrets) for shard in shards)
    filled["shards"] = shards
    if not settings.redis_url:
        filled["redis_url"] = shards[0].redis_url
    if runtime.stripe_sim and secrets.stripe_sim is not None:
        key, signing = secrets.stripe_sim
        filled |= {
            "billing": "stripe",
            "stripe_api_url": runtime.stripe_sim,
            "stripe_secret_key": key,
            "stripe_webhook_secrets": signing,
        }
    return dataclasses.replace(settings, **filled)  # type: ignore[arg-type]


def _shard(settings: Settings, secrets: Secrets, runtime: Runtime, index: int) -> ShardSettings:
    name = f"s{index}"
    if index and (settings.database_url or settings.redis_url):
        raise SettingsError(
            "More than one shard on external engines needs NATTER_SHARDS: a JSON list that names each one's `id`, "
            "`database_url` and `redis_url`."
        )
    if settings.database_url:
        database, migration = settings.database_url, settings.migration_url or None
    else:
        database = private_database(runtime, RUNTIME_LOGIN, secrets.runtime, shard_database(name))
        migration = private_database(runtime, SUPERUSER, secrets.postgres, shard_database(name))
    redis = settings.redis_url or (
        f"redis://:{quote(secrets.valkey_password(name), safe='')}@127.0.0.1:{runtime.ports[f'valkey-{name}']}/0"
    )
    return ShardSettings(id=name, database_url=database, migration_url=migration, redis_url=redis)


def _with_relay_credential(shard: ShardSettings, secrets: Secrets) -> ShardSettings:
    credential = shard.relay_credential or secrets.credentials.get(f"relay/{shard.id}")
    return msgspec.structs.replace(shard, relay_credential=credential)


def private_database(runtime: Runtime, user: str, password: str, database: str) -> str:
    """A URL on the private PostgreSQL."""
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{runtime.ports['postgres']}/{database}"


def control_url(settings: Settings) -> str:
    """Where a control plane with these settings is reached from this machine."""
    return f"http://{reachable_host(settings.host)}:{settings.control_port}"


def reachable_host(host: str) -> str:
    """Where a server on this machine that listens on `host` can be reached from this machine."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def login_of(url: str) -> str | None:
    """The user that a database URL names."""
    return urlsplit(url).username


def is_private(settings: Settings, secrets: Secrets | None) -> bool:
    """Whether these settings rest on the private PostgreSQL of `secrets`."""
    return secrets is not None and quote(secrets.runtime, safe="") in settings.database_url


def installed_settings(environ: Mapping[str, str] | None = None, *, file: Path | None = None) -> Settings:
    """The settings of the commands that work beside `natter up`: the configured ones, and over their gaps those of
    the installation in the data folder, if there is one. Raises `SettingsError`, `CannotStart`."""
    settings = load_settings(environ, file=file)
    folder = Folder(settings.data_dir)
    secrets = Secrets.load(folder)
    if secrets is None:
        return settings
    runtime = Runtime.load(folder)
    needs_postgres = not settings.database_url
    needs_valkey = not settings.shards and not settings.redis_url
    if (needs_postgres and "postgres" not in runtime.ports) or (needs_valkey and "valkey-s0" not in runtime.ports):
        return settings
    return compose(settings, secrets, runtime)
