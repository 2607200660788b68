"""Create, revoke and check credentials."""

import hmac
import re
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Update, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit, configuration, placement
from control_plane.context import Context
from control_plane.credentials.models import Credential, NodeWorker
from kernel.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from kernel.ids import format_id
from kernel.security import keys
from kernel.security.vault import Vault

CredentialKind = Literal["node", "relay"]
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


async def create_credential(ctx: Context, *, kind: CredentialKind, name: str, shard: str, replace: bool = False) -> str:
    """A fresh `nk_…`, shown here and never again.

    Raises `Conflict` when a live credential of that kind and name exists and `replace` is false; with `replace` the
    old one is revoked in the same transaction.
    """
    if kind not in ("node", "relay"):
        raise InvalidInput("`kind` must be `node` or `relay`.", field="kind")
    if not _NAME.fullmatch(name):
        raise InvalidInput("`name` must be 1 to 64 characters of A-Z a-z 0-9 _ . -", field="name")
    await placement.choose_shard(ctx.session, ctx.settings, wanted=shard)
    old = await _live(ctx.session, kind, name)
    if old is not None:
        if not replace:
            raise Conflict(f"There is a live {kind} credential named {name!r}; revoke it first, or replace it.")
        await _revoke(ctx, old)
    value = keys.generate("nk")
    row = {
        "id": ctx.ids.uuid7(),
        "kind": kind,
        "name": name,
        "shard": shard,
        "digest": keys.digest(ctx.vault.key("credentials"), value),
        "created_at": ctx.now,
    }
    statement = insert(Credential).values(row).on_conflict_do_nothing().returning(Credential.id)
    created = (await ctx.session.execute(statement)).scalar_one_or_none()
    if created is None:
        raise Conflict(f"Another {kind} credential named {name!r} was made at the same moment; revoke or replace it.")
    await audit.record(ctx, "credential.created", format_id("key", created), kind=kind, name=name, shard=shard)
    return value


async def revoke_credential(ctx: Context, *, kind: CredentialKind, name: str) -> None:
    """Its bearer is refused from the next request on. Raises `NotFound`."""
    credential = await _live(ctx.session, kind, name)
    if credential is None:
        raise NotFound(f"There is no live {kind} credential named {name!r}.")
    await _revoke(ctx, credential)


async def authenticate(session: AsyncSession, vault: Vault, presented: str) -> Credential:
    """The live credential behind an `nk_…`. Raises `Unauthenticated`.

    The lookup is by an HMAC under a key that the caller does not know, so its timing says nothing about digests.
    """
    if keys.well_formed("nk", presented):
        digest = keys.digest(vault.key("credentials"), presented)
        found = await session.execute(
            select(Credential).where(Credential.digest == digest, Credential.revoked_at.is_(None))
        )
        credential = found.scalar_one_or_none()
        if credential is not None and hmac.compare_digest(credential.digest, digest):
            return credential
    raise Unauthenticated("The credential is not valid or was revoked.")


async def record_poll(
    session: AsyncSession,
    credential: Credential,
    *,
    worker: int,
    applied_version: int,
    public_url: str | None,
    now: datetime,
) -> None:
    """Note that a worker of a node is alive, what it has applied and where clients reach the node."""
    # After the control database was restored, a node may be ahead of it: that is no proof of what comes after.
    known = func.least(applied_version, await configuration.current(session))
    values: dict[str, object] = {"last_seen_at": now, "applied_version": known}
    if public_url is not None:
        values["public_url"] = public_url
    await session.execute(_update(credential).values(values))
    row = insert(NodeWorker).values(credential_id=credential.id, worker=worker, applied_version=known, last_seen_at=now)
    told = {name: row.excluded[name] for name in ("applied_version", "last_seen_at")}
    await session.execute(row.on_conflict_do_update(index_elements=["credential_id", "worker"], set_=told))


async def record_report(session: AsyncSession, credential: Credential, *, boot: str, now: datetime) -> None:
    """Note that a source has reported usage. A node's liveness is its polls' business, not this one's."""
    values: dict[str, object] = {"boot": boot}
    if credential.kind == "relay":
        values["last_seen_at"] = now
    await session.execute(_update(credential).values(values))


def _update(credential: Credential) -> Update:
    statement = update(Credential).where(Credential.id == credential.id)
    return statement.execution_options(synchronize_session=False)


async def _live(session: AsyncSession, kind: str, name: str) -> Credential | None:
    found = await session.execute(
        select(Credential)
        .where(Credential.kind == kind, Credential.name == name, Credential.revoked_at.is_(None))
        .with_for_update()
    )
    return found.scalar_one_or_none()


async def _revoke(ctx: Context, credential: Credential) -> None:
    credential.revoked_at = ctx.now
    await ctx.session.flush()
    await audit.record(
        ctx,
        "credential.revoked",
        format_id("key", credential.id),
        kind=credential.kind,
        name=credential.name,
        shard=credential.shard,
    )
