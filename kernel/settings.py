"""Settings: one frozen class, read once from `NATTER_…` variables over one TOML file.

The file is `natter.toml` in the working directory or the one `NATTER_CONFIG` names; a variable beats the file.
A secret may stand in a file of its own, which `NATTER_…_FILE` names, as containers are handed theirs.
No secret has a default: a process that needs one refuses to start and names the variable.
"""

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from kernel.errors import NatterError


class SettingsError(NatterError):
    """The configuration is wrong; the message names the setting and how to mend it."""

    code = "settings"
    title = "The configuration is not valid"


def _setting(doc: str, default: Any = dataclasses.MISSING, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"doc": doc, "secret": secret})


class ShardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shard: a database and a bus, and the address clients reach its nodes at."""

    id: str
    database_url: str
    redis_url: str
    migration_url: str | None = None
    public_url: str | None = None
    """The load balancer before the shard's nodes; without one, clients are told a live node's own address."""
    relay_credential: str | None = None
    """What the worker shows the control plane when it reports this shard's usage; default: `credential`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured. `natter config check` prints and explains each."""

    environment: Literal["development", "production"] = _setting(
        "`production` refuses conveniences that are unsafe on the internet.", "development"
    )
    data_dir: Path = _setting("Where the embedded engines and generated secrets live.", Path(".natter"))
    master_key: str = _setting(
        "32 random bytes as base64. Every other key of the installation derives from it.", "", secret=True
    )
    database_url: str = _setting(
        "PostgreSQL for the control plane, and for the only shard when `shards` is not set: "
        "`postgresql://user:password@host:5432/name`. Empty in `natter up`: a private one is started.",
        "",
        secret=True,
    )
    migration_url: str = _setting(
        "The same database as a user who may create roles and tables. Default: `database_url`.",
        "",
        secret=True,
    )
    redis_url: str = _setting(
        "Redis 7 or Valkey 8 for bus, presence and limits: `redis://host:6379/0`, or a cluster by some of its members: "
        "`redis+cluster://user:password@a:6379,b:6379` (`rediss://`, `rediss+cluster://` with TLS). "
        "Empty in `natter up`: a private one is started.",
        "",
        secret=True,
    )
    jobs_redis_url: str = _setting("Redis for jobs, never a cluster. Default: `redis_url`.", "", secret=True)
    shards: tuple[ShardSettings, ...] = _setting(
        "Shards as TOML tables `[[shards]]`, or as JSON in the variable: `id`, `database_url`, `redis_url`, "
        "`migration_url`, `public_url`, `relay_credential`. Default: one shard `s0` on `database_url` and `redis_url`.",
        (),
        secret=True,
    )
    control_url: str = _setting("Where nodes and workers reach the control plane.", "http://127.0.0.1:8000")
    portal_url: str = _setting(
        "Where browsers reach the portal: `https://chat.example.com`. Links in mails begin with it, and with https "
        "cookies are sent over TLS only. Default: the control plane's port on this machine.",
        "",
    )
    smtp_url: str = _setting(
        "The mail server that delivers letters: `smtp://user:password@host:587` (STARTTLS is required; "
        "`?starttls=off` for a relay on this machine), or `smtps://user:password@host:465`; `?ca=/path.pem` names an "
        "authority of your own. Empty: letters are kept on the outbox page and go nowhere.",
        "",
        secret=True,
    )
    mail_from: str = _setting(
        "The sender of letters: `Natter <no-reply@chat.example.com>`. Needed with `smtp_url`.", ""
    )
    github_keys_url: str = _setting(
        "Where GitHub publishes the keys that its secret scanning signs with, for `POST /v1/leaks/github`.",
        "https://api.github.com/meta/public_keys/secret_scanning",
    )
    seller_name: str = _setting("Who invoices are from, as it stands on them.", "")
    seller_address: str = _setting("The seller's address on invoices; `;` or a line's end begins a new line.", "")
    seller_tax_number: str = _setting("The seller's tax number on invoices.", "")
    billing: Literal["null", "stripe"] = _setting(
        "Who takes the money: `null` makes invoices and takes none, `stripe` needs the settings below.", "null"
    )
    stripe_secret_key: str = _setting(
        "The secret or restricted key of the Stripe account: `sk_live_…`, `rk_live_…`, or a test one.", "", secret=True
    )
    stripe_webhook_secrets: str = _setting(
        "What Stripe signs its webhooks with: `whsec_…`. While one is being replaced, both, with a comma between.",
        "",
        secret=True,
    )
    stripe_api_url: str = _setting(
        "Where Stripe's API is reached. Another one than Stripe's own is for `natter stripe-sim`.", ""
    )
    stripe_tax: bool = _setting("Let Stripe Tax compute taxes. It has to be set up in Stripe's dashboard first.", False)
    host: str = _setting("The address that servers listen on.", "127.0.0.1")
    control_port: int = _setting("Port of portal and management API.", 8000)
    node_port: int = _setting("Port of a data-plane node.", 8100)
    public_url: str = _setting("Where clients reach this node. Default: its host and port.", "")
    workers: int = _setting("Processes that share a node's port; one for each core that it may use.", 1)
    peer_address: str = _setting(
        "`host:port` at which the shard's other nodes reach this one, not by way of a load balancer: they pass on what "
        "comes to them of its sessions. Default: its own host (this machine's name if it listens everywhere) and port.",
        "",
    )
    drain_seconds: float = _setting(
        "Seconds for which a node that was told to stop answers at least, while it fails its readiness check, so that "
        "a load balancer notices first.",
        3.0,
    )
    user_connections: int = _setting("Connections that one user may have at once in a shard.", 50)
    address_connections: int = _setting(
        "Connections that anonymous visitors of one app may have at once from one address.", 500
    )
    shard: str = _setting("The shard that this node serves.", "s0")
    node_name: str = _setting("This node's name, unique in the installation.", "")
    credential: str = _setting(
        "What this node or worker shows the control plane: made by `natter credential create`.",
        "",
        secret=True,
    )
    database_pool: int = _setting("Connections that one process keeps to one database.", 8)
    log_level: Literal["debug", "info", "warning", "error"] = _setting("The least level that is logged.", "info")
    log_format: Literal["json", "console"] = _setting("`json` for machines, `console` for a terminal.", "json")

    def require(self, *names: str) -> "Settings":
        """Return self when all of these are set. Raises `SettingsError` naming each that is missing."""
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            docs = {f.name: f.metadata["doc"] for f in dataclasses.fields(self)}
            lines = "\n".join(f"  NATTER_{name.upper()}: {docs[name]}" for name in missing)
            raise SettingsError(f"These settings are needed and not set:\n{lines}")
        return self

    @property
    def portal(self) -> str:
        """The portal's address without a slash at its end: `portal_url`, or the control plane's port."""
        return self.portal_url.rstrip("/") or f"http://127.0.0.1:{self.control_port}"

    def all_shards(self) -> tuple[ShardSettings, ...]:
        """The configured shards, or the one that `database_url` and `redis_url` make."""
        if self.shards:
            return self.shards
        return (
            ShardSettings(
                id="s0",
                database_url=self.database_url,
                redis_url=self.redis_url,
                migration_url=self.migration_url or None,
            ),
        )

    def shard_settings(self, shard_id: str) -> ShardSettings:
        """One shard by id. Raises `SettingsError` that lists those there are."""
        for shard in self.all_shards():
            if shard.id == shard_id:
                return shard
        known = ", ".join(shard.id for shard in self.all_shards())
        raise SettingsError(f"NATTER_SHARD names {shard_id!r}; the configured shards are: {known}")


def load_settings(environ: Mapping[str, str] | None = None, *, file: Path | None = None) -> Settings:
    """Read the file, then the variables over it. Raises `SettingsError` that names the culprit."""
    environ = os.environ if environ is None else environ
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    values: dict[str, Any] = {}

    path = file or Path(environ.get("NATTER_CONFIG", "natter.toml"))
    if path.exists():
        try:
            values.update(tomllib.loads(path.read_text()))
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path} is not valid TOML: {error}") from error
    elif file is not None or "NATTER_CONFIG" in environ:
        raise SettingsError(f"The configuration file {path} does not exist. Mend NATTER_CONFIG or create it.")
    for name in values:
        if name not in fields:
            raise SettingsError(f"{path} sets `{name}`, which is no setting.{_nearest(name, fields)}")

    for key, text in environ.items():
        if not key.startswith("NATTER_") or key == "NATTER_CONFIG" or key.startswith("NATTER_TEST_"):
            continue
        name = key.removeprefix("NATTER_").lower()
        secret = fields.get(name.removesuffix("_file"))
        if name not in fields and secret is not None and secret.metadata["secret"]:
            name, text = secret.name, _secret_in(key, text, environ)
        if name not in fields:
            raise SettingsError(f"{key} is no setting.{_nearest(name, fields)}")
        if name == "shards":
            try:
                values[name] = msgspec.json.decode(text)
            except msgspec.DecodeError as error:
                raise SettingsError(f"NATTER_SHARDS must be a JSON list: {error}") from error
        else:
            values[name] = text
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        named = re.sub(r"\$\.(\w+)", lambda match: f"NATTER_{match[1].upper()}", str(error))
        raise SettingsError(f"A setting has a wrong value: {named}") from error


def _secret_in(variable: str, path: str, environ: Mapping[str, str]) -> str:
    """The content of a secret's file, without the line's end."""
    plain = variable.removesuffix("_FILE")
    if plain in environ:
        raise SettingsError(f"{plain} and {variable} are both set; leave one of them away.")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable} names {path}, which cannot be read: {error}") from error


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError(f"Expected a {wanted.__name__.lower()}")


def _nearest(name: str, fields: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, fields, n=1)
    return f" Did you mean NATTER_{close[0].upper()}?" if close else " `natter config check` lists them all."
