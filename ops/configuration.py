"""Look at a configuration as a whole: where each value comes from, and what is wrong with it."""

import base64
import binascii
import dataclasses
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from kernel.redis_url import CLUSTER_SCHEMES, cluster_members
from kernel.settings import Settings, SettingsError

_POSTGRES: Final = ("postgresql", "postgres")
_REDIS: Final = ("redis", "rediss", "unix")
_REDIS_CLUSTER: Final = (*_REDIS, *CLUSTER_SCHEMES)
_HTTP: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class Line:
    """One setting for a person: `value` has its secrets masked."""

    variable: str
    value: str
    source: str
    doc: str


def describe(configured: Settings, effective: Settings, environ: Mapping[str, str] | None = None) -> list[Line]:
    """Every setting in order. `effective` is `configured` with the gaps that `natter up` fills."""
    environ = os.environ if environ is None else environ
    path = Path(environ.get("NATTER_CONFIG", "natter.toml"))
    in_file = tomllib.loads(path.read_text()) if path.exists() else {}
    lines = []
    for field in dataclasses.fields(Settings):
        variable = f"NATTER_{field.name.upper()}"
        value = getattr(effective, field.name)
        if variable in environ:
            source = "variable"
        elif f"{variable}_FILE" in environ:
            source = environ[f"{variable}_FILE"]
        elif field.name in in_file:
            source = str(path)
        elif value != getattr(configured, field.name):
            source = f"made by natter up ({effective.data_dir})"
        else:
            source = "default"
        shown = _masked(value) if field.metadata["secret"] else _plain(value)
        lines.append(Line(variable, shown or "(not set)", source, field.metadata["doc"]))
    return lines


def problems(settings: Settings) -> Iterator[str]:
    """Each contradiction or impossible value, in words that name the variable."""
    for name in ("control_port", "node_port"):
        if not 0 < getattr(settings, name) < 65_536:
            yield f"NATTER_{name.upper()} must be a port from 1 to 65535; it is {getattr(settings, name)}."
    if settings.control_port == settings.node_port:
        yield f"NATTER_CONTROL_PORT and NATTER_NODE_PORT are both {settings.node_port}; two servers cannot share one."
    if settings.database_pool < 1:
        yield "NATTER_DATABASE_POOL must be 1 or more."
    if settings.master_key:
        yield from _master_key_problems(settings.master_key)
    yield from _url_problems("NATTER_DATABASE_URL", settings.database_url, _POSTGRES)
    yield from _url_problems("NATTER_MIGRATION_URL", settings.migration_url, _POSTGRES)
    yield from _url_problems("NATTER_REDIS_URL", settings.redis_url, _REDIS_CLUSTER)
    yield from _url_problems("NATTER_JOBS_REDIS_URL", settings.jobs_redis_url, _REDIS)
    yield from _url_problems("NATTER_CONTROL_URL", settings.control_url, _HTTP)
    yield from _url_problems("NATTER_PUBLIC_URL", settings.public_url, _HTTP)
    yield from _jobs_problems(settings)
    yield from _portal_problems(settings)
    yield from _mail_problems(settings)
    yield from _stripe_problems(settings)
    yield from _shard_problems(settings)
    if settings.environment == "production":
        yield from _production_problems(settings)


def _master_key_problems(key: str) -> Iterator[str]:
    way_out = "Make one with: openssl rand -base64 32"
    try:
        if len(base64.b64decode(key, validate=True)) < 32:
            yield f"NATTER_MASTER_KEY holds fewer than 32 bytes. {way_out}"
    except binascii.Error:
        yield f"NATTER_MASTER_KEY is not base64. {way_out}"


def _url_problems(variable: str, url: str, schemes: tuple[str, ...]) -> Iterator[str]:
    if not url:
        return
    try:
        parts = urlsplit(url)
        if parts.scheme in CLUSTER_SCHEMES:
            parts = urlsplit(cluster_members(url)[0])._replace(scheme=parts.scheme)
        _ = parts.port
    except ValueError as error:
        yield f"{variable} is not a URL: {error}."
        return
    if parts.scheme not in schemes:
        yield f"{variable} must begin with {schemes[0]}://, not {parts.scheme or 'nothing'}."
    elif parts.scheme != "unix" and not parts.hostname:
        yield f"{variable} names no host."
    elif schemes is _POSTGRES and not parts.path.strip("/"):
        yield f"{variable} names no database: {schemes[0]}://user:password@host:5432/NAME."


def _jobs_problems(settings: Settings) -> Iterator[str]:
    where = settings.jobs_redis_url or settings.redis_url or next((s.redis_url for s in settings.shards), "")
    if urlsplit(where).scheme in CLUSTER_SCHEMES:
        yield "NATTER_JOBS_REDIS_URL must name a Redis that is no cluster: jobs have one of their own."


def _portal_problems(settings: Settings) -> Iterator[str]:
    found = list(_url_problems("NATTER_PORTAL_URL", settings.portal_url, _HTTP))
    yield from found
    if settings.portal_url and not found:
        parts = urlsplit(settings.portal_url)
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            yield "NATTER_PORTAL_URL must be scheme, host and port alone: the portal lives at the root of its host."


def _stripe_problems(settings: Settings) -> Iterator[str]:
    key, secrets = (
        settings.stripe_secret_key,
        [s.strip() for s in settings.stripe_webhook_secrets.split(",") if s.strip()],
    )
    yield from _url_problems("NATTER_STRIPE_API_URL", settings.stripe_api_url, _HTTP)
    if settings.billing != "stripe":
        if key or secrets:
            yield "NATTER_STRIPE_… settings are there, but NATTER_BILLING is not stripe, so that nobody pays."
        return
    if not key:
        yield "NATTER_STRIPE_SECRET_KEY must be set where NATTER_BILLING is stripe: Stripe's dashboard has it."
    elif not key.startswith(("sk_", "rk_")):
        yield "NATTER_STRIPE_SECRET_KEY must begin with sk_ or rk_; a publishable key (pk_) is not enough."
    elif settings.stripe_api_url and key.startswith(("sk_live_", "rk_live_")):
        yield "NATTER_STRIPE_API_URL is for the simulator, and NATTER_STRIPE_SECRET_KEY is a live key: take one away."
    if not secrets:
        yield (
            "NATTER_STRIPE_WEBHOOK_SECRETS must be set where NATTER_BILLING is stripe: "
            "the webhook endpoint's page in Stripe's dashboard has it."
        )
    elif not all(secret.startswith("whsec_") for secret in secrets):
        yield "NATTER_STRIPE_WEBHOOK_SECRETS must be whsec_…, or two of them with a comma between."
    if settings.environment == "production" and key.startswith(("sk_test_", "rk_test_")):
        yield "NATTER_STRIPE_SECRET_KEY is a test key, and this is production: no money would move."


def _mail_problems(settings: Settings) -> Iterator[str]:
    if not settings.smtp_url and not settings.mail_from:
        return
    from control_plane.mail.smtp import SmtpServer, parse_sender  # the mail library is slow to import

    if settings.smtp_url:
        try:
            server = SmtpServer.parse(settings.smtp_url)
        except SettingsError as error:
            yield error.message
        else:
            if server.ca is not None and not Path(server.ca).is_file():
                yield f"NATTER_SMTP_URL names the authority {server.ca}, which is no file."
            if settings.environment == "production" and server.tls == "off" and not server.is_local:
                yield "NATTER_SMTP_URL has `starttls=off` in production: letters with links would go in the clear."
        if not settings.mail_from:
            yield "NATTER_MAIL_FROM must be set beside NATTER_SMTP_URL: who letters are from."
    if settings.mail_from:
        try:
            parse_sender(settings.mail_from)
        except SettingsError as error:
            yield error.message


def _shard_problems(settings: Settings) -> Iterator[str]:
    ids = [shard.id for shard in settings.shards]
    for duplicate in sorted({each for each in ids if ids.count(each) > 1}):
        yield f"NATTER_SHARDS names {duplicate!r} more than once."
    if settings.node_name and settings.shards and settings.shard not in ids:
        yield f"NATTER_SHARD is {settings.shard!r}, but NATTER_SHARDS names only {', '.join(ids)}."
    for shard in settings.shards:
        where = f"NATTER_SHARDS, shard {shard.id!r}: "
        yield from _url_problems(f"{where}database_url", shard.database_url, _POSTGRES)
        yield from _url_problems(f"{where}migration_url", shard.migration_url or "", _POSTGRES)
        yield from _url_problems(f"{where}redis_url", shard.redis_url, _REDIS_CLUSTER)
        yield from _url_problems(f"{where}public_url", shard.public_url or "", _HTTP)
    for what in ("database_url", "redis_url"):
        urls = [getattr(shard, what) for shard in settings.shards if getattr(shard, what)]
        if len(set(urls)) < len(urls):
            yield f"NATTER_SHARDS: two shards have the same {what}; each needs its own."


def _production_problems(settings: Settings) -> Iterator[str]:
    if not settings.master_key:
        yield "NATTER_MASTER_KEY must be set in production, and be kept somewhere else as well."
    if not settings.portal_url.startswith("https://"):
        yield "NATTER_PORTAL_URL must be set in production, and begin with https://: passwords pass through it."
    for name in ("database_url", "redis_url"):
        if not getattr(settings, name) and not settings.shards:
            yield f"NATTER_{name.upper()} must be set in production; private engines are for development."


def _plain(value: object) -> str:
    return str(value)


def _masked(value: object) -> str:
    """The value with what is secret in it as `***`; of a URL user, host and name stay."""
    if isinstance(value, tuple):
        shown = []
        for shard in value:
            fields = {name: text for name, text in msgspec.structs.asdict(shard).items() if text is not None}
            shown.append(
                {
                    name: "***" if name == "relay_credential" else _masked(text) if name.endswith("_url") else text
                    for name, text in fields.items()
                }
            )
        return msgspec.json.encode(shown).decode() if shown else ""
    text = str(value)
    if "://" not in text:
        return "***" if text else ""
    parts = urlsplit(text)
    if parts.password is None and not parts.query:
        return text
    user, _, host = parts.netloc.rpartition("@")
    user = f"{user.partition(':')[0]}:***@" if user else ""
    return urlunsplit(parts._replace(netloc=f"{user}{host}", query="***" if parts.query else ""))
