"""Credentials that nodes and relays of this installation show the control plane, made when they are missing."""

import hmac
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from kernel.security import keys
from kernel.security.vault import Vault
from kernel.settings import Settings


class Wanted(NamedTuple):
    """A credential that somebody needs: `kind` is `node` or `relay`."""

    kind: str
    name: str
    shard: str

    @property
    def key(self) -> str:
        """Its name among an installation's secrets."""
        return f"{self.kind}/{self.name}"


async def ensure_credentials(settings: Settings, wanted: Sequence[Wanted], known: dict[str, str]) -> bool:
    """Put into `known` what is missing there or no longer valid in the database; returns whether anything was made."""
    vault = Vault(settings.master_key)
    live = await _live_digests(settings.database_url)
    missing = [
        each
        for each in wanted
        if not hmac.compare_digest(
            keys.digest(vault.key("credentials"), known.get(each.key, "")), live.get((each.kind, each.name), "")
        )
    ]
    if missing:
        known.update(await _create(settings, vault, missing))
    return bool(missing)


async def _live_digests(database_url: str) -> dict[tuple[str, str], str]:
    # Read here and not through the control plane's service, because importing that costs half a second of every start.
    connection = await asyncpg.connect(database_url, timeout=10, server_settings={"role": "natter_control"})
    try:
        rows = await connection.fetch("select kind, name, digest from control.credentials where revoked_at is null")
    finally:
        await connection.close()
    return {(row["kind"], row["name"]): row["digest"] for row in rows}


async def _create(settings: Settings, vault: Vault, missing: Sequence[Wanted]) -> dict[str, str]:
    from control_plane.context import Actor, Deps
    from control_plane.credentials.service import create_credential
    from kernel.db import Database

    url = settings.database_url
    deps = Deps(
        settings=settings,
        database=Database(url, role="natter_control", pool_size=1, name="natter-up"),
        portal_database=Database(url, role="natter_portal", pool_size=1, name="natter-up"),
        vault=vault,
    )
    try:
        async with deps.change(Actor("system:up")) as context:
            return {
                each.key: await create_credential(
                    context,
                    kind="node" if each.kind == "node" else "relay",
                    name=each.name,
                    shard=each.shard,
                    replace=True,
                )
                for each in missing
            }
    finally:
        await deps.close()
