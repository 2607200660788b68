"""Key sets that are followed: an address is read again and again, and signing keys follow what stands there.

A reading that fails changes nothing: keys that are known stay good, and the page says what is wrong. A key that is no
longer in the set is revoked, one that is new is added. Reading is the worker's; nobody's request waits for it.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from control_plane import audit
from control_plane.apps import repository as apps
from control_plane.apps.models import App
from control_plane.context import Actor, Context, Deps
from control_plane.credentials.models import Credential
from control_plane.keys.jwks_url import Fetched
from control_plane.keys.models import AppSigningKey
from control_plane.keys.public_keys import PublicKey, parse_public_key
from control_plane.keys.signing_keys import MAX_LIVE_KEYS, add_public_key, note_key
from control_plane.models import Base
from kernel.errors import Conflict, InvalidInput, NatterError, NotFound
from kernel.ids import format_id, parse_id
from kernel.logging import get_logger

MAX_SETS: Final = 3
"""That an app follows at once."""
USUAL: Final = timedelta(minutes=15)
"""How long after a reading the next one is due, where the answer says nothing of its own."""
SOONEST, LATEST = timedelta(minutes=5), timedelta(hours=1)
"""Whatever the answer says."""
FLOOR: Final = timedelta(minutes=1)
"""Between two readings, whatever key a token names."""
MOST_APPS: Final = 20
"""That one poll of a node may tell of."""
_LEASE: Final = timedelta(minutes=1)
_EVERY: Final = 1.0
_ACTOR: Final = Actor("system:key-sets")

_log = get_logger(__name__)

_TAKE: Final = text(
    "update control.key_sets set due_at = :lease, tried_at = :now where id in (select s.id from control.key_sets s "
    "join control.apps a on a.id = s.app_id where s.due_at <= :now and s.removed_at is null and a.status <> 'deleted' "
    "order by s.due_at limit 1 for update of s skip locked) returning id, app_id, url, failures"
)
_FAILED: Final = text(
    "update control.key_sets set due_at = :due, failures = failures + 1, problem = :problem "
    "where id = :id and removed_at is null"
)
_WANTED: Final = text(
    "update control.key_sets s set due_at = greatest(cast(:now as timestamptz), s.tried_at + :floor) "
    "from control.apps a where a.id = s.app_id and a.shard = :shard and s.app_id = any(cast(:apps as uuid[])) "
    "and s.removed_at is null and s.due_at > greatest(cast(:now as timestamptz), s.tried_at + :floor)"
)


class KeySet(Base):
    """An address that is read again at `due_at`. `problem`: what was wrong the last time, and `failures` times."""

    __tablename__ = "key_sets"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    app_id: Mapped[UUID]
    url: Mapped[str]
    created_at: Mapped[datetime]
    read_at: Mapped[datetime]
    tried_at: Mapped[datetime]
    due_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(Integer())
    problem: Mapped[str | None]
    removed_at: Mapped[datetime | None]

    @property
    def public_id(self) -> str:
        """`key_…`"""
        return format_id("key", self.id)


async def list_key_sets(session: AsyncSession, app: App) -> list[KeySet]:
    """Those that the app follows, the oldest first."""
    query = select(KeySet).where(KeySet.app_id == app.id, KeySet.removed_at.is_(None)).order_by(KeySet.id)
    return list((await session.execute(query)).scalars())


async def follow_key_set(
    ctx: Context, app_id: UUID, url: str, fetched: Fetched, *, key_id: UUID | None = None
) -> list[str]:
    """Add the keys that stand at the address, and go on reading it; returns their `kid`s. `key_id`: the first key's id.

    Raises `InvalidInput` as `add_public_key` does, and `Conflict` for an address that is followed, or too many.
    """
    app = await apps.get_for_change(ctx.session, app_id)
    known = await list_key_sets(ctx.session, app)
    if any(one.url == url for one in known):
        raise Conflict("This address is followed already.", field="jwks_url")
    if len(known) >= MAX_SETS:
        raise Conflict(f"An app follows at most {MAX_SETS} addresses; stop following one first.", field="jwks_url")
    key_set = KeySet(
        id=ctx.ids.uuid7(),
        app_id=app.id,
        url=url,
        created_at=ctx.now,
        read_at=ctx.now,
        tried_at=ctx.now,
        due_at=ctx.now + pause(fetched.max_age),
        failures=0,
    )
    ctx.session.add(key_set)
    await ctx.session.flush()
    kids = await add_public_key(ctx, app.id, fetched.text, key_id=key_id, key_set_id=key_set.id)
    await _audit(ctx, app, key_set, "followed", kids=kids)
    return kids


async def stop_following(ctx: Context, app_id: UUID, key_set_id: UUID) -> None:
    """Read the address no more. The keys that came from it work until they are revoked. Raises `NotFound`."""
    app = await apps.get_for_change(ctx.session, app_id)
    found = await ctx.session.execute(
        select(KeySet).where(KeySet.app_id == app.id, KeySet.id == key_set_id, KeySet.removed_at.is_(None))
    )
    key_set = found.scalar_one_or_none()
    if key_set is None:
        raise NotFound("This address is not followed.")
    key_set.removed_at = ctx.now
    await _audit(ctx, app, key_set, "left")


async def apply_reading(ctx: Context, key_set_id: UUID, fetched: Fetched) -> bool:
    """Let the app's keys be those of the document; whether anything changed. Raises `InvalidInput` for what is no key
    set: then nothing is changed."""
    public = parse_public_key(fetched.text)
    row = await ctx.session.get(KeySet, key_set_id)
    if row is None or row.removed_at is not None:
        return False
    changed, problem = False, None
    mine = await _keys_of(ctx.session, key_set_id)
    if _differs(mine, public):
        # What nodes see changes: the configuration's lock first, and then a look at what is there now.
        app = await apps.get_for_change(ctx.session, row.app_id)
        changed, problem = await _follow(ctx, app, row, public)
    values = {"read_at": ctx.now, "due_at": ctx.now + pause(fetched.max_age), "failures": 0, "problem": problem}
    await ctx.session.execute(update(KeySet).where(KeySet.id == key_set_id, KeySet.removed_at.is_(None)).values(values))
    return changed


def pause(max_age: float | None) -> timedelta:
    """From a reading to the next, by what the answer's `Cache-Control` says in seconds."""
    if max_age is None:
        return USUAL
    return min(max(timedelta(seconds=max_age), SOONEST), LATEST)


def parse_apps(said: str) -> list[UUID]:
    """`app_…,app_…`. Raises `InvalidInput`."""
    parts = said.split(",") if said else []
    if len(parts) > MOST_APPS:
        raise InvalidInput(f"`unknown_kids` must name at most {MOST_APPS} apps.", field="unknown_kids")
    return [parse_id("app", part, field="unknown_kids") for part in parts]


async def want_reading(
    session: AsyncSession, credential: Credential, app_ids: Sequence[UUID], *, now: datetime
) -> None:
    """A node got tokens of these apps that name keys it does not know: read their addresses soon, once in `FLOOR`."""
    if app_ids:
        values = {"now": now, "floor": FLOOR, "shard": credential.shard, "apps": list(app_ids)}
        await session.execute(_WANTED, values)


class KeySetReader:
    """The worker's job. Any number of workers may do it: each reading is leased."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def step(self) -> bool:
        """Read the address that is due longest; false when none is."""
        deps, now = self._deps, self._deps.clock.now()
        async with deps.database.unit_of_work() as uow:
            taken = (await uow.session.execute(_TAKE, {"now": now, "lease": now + _LEASE})).one_or_none()
        if taken is None:
            return False
        try:
            fetched = await deps.jwks.fetch_fresh(taken.url)
            async with deps.change(_ACTOR) as ctx:
                await apply_reading(ctx, taken.id, fetched)
        except NatterError as error:
            wait = min(FLOOR * 2 ** min(taken.failures, 10), LATEST)
            # The fetcher speaks to who fills in a form.
            said = error.message.replace("`jwks_url`", "The address").replace("`public_key`", "What stands there")
            values = {"id": taken.id, "due": deps.clock.now() + wait, "problem": said[:500]}
            async with deps.database.unit_of_work() as uow:
                await uow.session.execute(_FAILED, values)
            _log.warning("key_sets.unread", keySet=str(taken.id), failures=taken.failures + 1, error=error.message)
        return True

    async def run(self) -> None:
        """Read whatever is due, until cancelled."""
        while True:
            busy = False
            with contextlib.suppress(Exception):
                busy = await self._logged_step()
            if not busy:
                await asyncio.sleep(_EVERY)

    async def _logged_step(self) -> bool:
        try:
            return await self.step()
        except Exception:
            _log.exception("key_sets.reading_failed")
            raise


async def _keys_of(session: AsyncSession, key_set_id: UUID) -> list[AppSigningKey]:
    query = select(AppSigningKey).where(AppSigningKey.key_set_id == key_set_id).order_by(AppSigningKey.id)
    return list((await session.execute(query.execution_options(populate_existing=True))).scalars())


def _is(key: AppSigningKey, public: PublicKey) -> bool:
    return key.public_key == public.pem and public.kid in (None, key.kid)


def _differs(mine: list[AppSigningKey], public: list[PublicKey]) -> bool:
    live = [key for key in mine if key.revoked_at is None]
    return any(not any(_is(key, one) for one in public) for key in live) or any(
        not any(_is(key, one) for key in live) for one in public
    )


async def _follow(ctx: Context, app: App, row: KeySet, public: list[PublicKey]) -> tuple[bool, str | None]:
    """What left the set is revoked first, so that there is room for what came."""
    mine = await _keys_of(ctx.session, row.id)
    removed: list[str] = []
    for key in mine:
        if key.revoked_at is None and not any(_is(key, one) for one in public):
            key.revoked_at, key.revoked_version = ctx.now, app.version
            await note_key(app, key, "revoked", ctx=ctx)
            removed.append(key.kid)
    await ctx.session.flush()
    everything = select(AppSigningKey).where(AppSigningKey.app_id == app.id)
    of_app = list((await ctx.session.execute(everything)).scalars())
    room = MAX_LIVE_KEYS - sum(key.revoked_at is None for key in of_app)
    added: list[str] = []
    problem: str | None = None
    for one in public:
        if any(_is(key, one) and key.revoked_at is None for key in mine):
            continue
        # The very key that left comes back. Another one under its name does not: tokens would mean another key.
        back = next((key for key in mine if _is(key, one)), None)
        if room <= 0:
            problem = f"An app has at most {MAX_LIVE_KEYS} live signing keys; not all of this set were taken."
        elif back is not None:
            back.revoked_at, back.revoked_version = None, None
            await note_key(app, back, "added", ctx=ctx)
            added.append(back.kid)
            room -= 1
        elif one.kid is not None and any(key.kid == one.kid for key in of_app):
            problem = f"The app has, or had, another signing key named {one.kid!r}; the one of this set was not taken."
        else:
            key = AppSigningKey(
                id=ctx.ids.uuid7(),
                app_id=app.id,
                kid="",
                algorithm=one.algorithm,
                public_key=one.pem,
                mint=False,
                created_at=ctx.now,
                key_set_id=row.id,
            )
            key.kid = one.kid or key.public_id
            ctx.session.add(key)
            await note_key(app, key, "added", ctx=ctx)
            added.append(key.kid)
            room -= 1
    if added or removed:
        await _audit(ctx, app, row, "changed", added=added, removed=removed)
    return bool(added or removed), problem


async def _audit(ctx: Context, app: App, row: KeySet, verb: str, **data: Any) -> None:
    await audit.record(
        ctx,
        f"key_set.{verb}",
        row.public_id,
        organization_id=app.organization_id,
        app_id=app.id,
        url=row.url,
        **data,
    )
