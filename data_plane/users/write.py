"""Write profiles: lock the users' logs, compare, store, and tell each changed user's own log."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from data_plane.custom import check_custom
from data_plane.log import user_log
from data_plane.log.entries import profile_entry
from data_plane.log.writer import NewEntry
from data_plane.members.errors import UnknownUsers
from data_plane.shard import Shard
from data_plane.users.models import User
from data_plane.users.repository import UserRepository
from data_plane.users.schemas import PatchInBatch, PatchUser, PutUser, UserInBatch
from data_plane.users.views import user_view
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput, NotFound
from kernel.ids import check_customer_id

RESERVED: Final = ("me", "query")
"""What stands where an id does in paths."""
_PROFILE = ("name", "image", "role", "custom")


MAX_TOLD: Final = 1_000
"""Channels of a user whose watchers hear of its new profile at once."""


class Written(NamedTuple):
    """A user after a write, and whether the write made it."""

    user: User
    created: bool


def new_user_id(text: str, *, field: str) -> str:
    """Return an id that a user may be made with. Raises `InvalidInput`."""
    if text in RESERVED:
        raise InvalidInput(f"`{text}` is a word of the API and cannot be a user's id.", field=field)
    return check_customer_id(text, field=field)


async def upsert_users(
    shard: Shard, uow: UnitOfWork, app_id: UUID, users: Sequence[UserInBatch], *, actor: str | None
) -> list[Written]:
    """Store whole profiles, in argument order. Raises `InvalidInput` that names the field.

    A profile that says what is stored already changes nothing, so that sending a batch again is free.
    """
    wanted: dict[str, PutUser] = {}
    for index, user in enumerate(users):
        new_user_id(user.id, field=f"users[{index}].id")
        check_custom(user.custom, field=f"users[{index}].custom")
        if user.id in wanted:
            raise InvalidInput(f"The user {user.id!r} is in the batch twice.", field=f"users[{index}].id")
        wanted[user.id] = user
    return await _write(shard, uow, app_id, list(wanted), lambda user_id, _: _whole(wanted[user_id]), actor)


async def put_user(
    shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str, profile: PutUser, *, actor: str | None
) -> Written:
    """Store one whole profile. Raises `InvalidInput` that names the field."""
    new_user_id(user_id, field="user_id")
    check_custom(profile.custom)
    return (await _write(shard, uow, app_id, [user_id], lambda _, __: _whole(profile), actor))[0]


async def patch_user(
    shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str, change: PatchUser, *, actor: str | None
) -> User:
    """Change the fields that are given. Raises `NotFound`, or `InvalidInput` that names the field."""
    check_customer_id(user_id, field="user_id")
    if isinstance(change.custom, dict):
        check_custom(change.custom)

    def profile(_: str, held: User | None) -> dict[str, Any]:
        if held is None:
            raise NotFound("There is no such user.")
        return {**_held(held), **_given(change)}

    return (await _write(shard, uow, app_id, [user_id], profile, actor))[0].user


async def patch_users(
    shard: Shard, uow: UnitOfWork, app_id: UUID, changes: Sequence[PatchInBatch], *, actor: str | None
) -> list[User]:
    """Change fields of many users, in argument order. Raises `UnknownUsers`, or `InvalidInput` that names the field."""
    wanted: dict[str, PatchUser] = {}
    for index, change in enumerate(changes):
        if isinstance(change.custom, dict):
            check_custom(change.custom, field=f"users[{index}].custom")
        if change.id in wanted:
            raise InvalidInput(f"The user {change.id!r} is in the batch twice.", field=f"users[{index}].id")
        wanted[change.id] = change
    unknown: list[str] = []

    def profile(user_id: str, held: User | None) -> dict[str, Any]:
        if held is None:
            unknown.append(user_id)
            return {}
        return {**_held(held), **_given(wanted[user_id])}

    written = await _write(shard, uow, app_id, list(wanted), profile, actor, unknown=unknown)
    return [item.user for item in written]


def _given(change: PatchUser) -> dict[str, Any]:
    return {name: getattr(change, name) for name in _PROFILE if isinstance(getattr(change, name), str | dict | None)}


async def _write(
    shard: Shard,
    uow: UnitOfWork,
    app_id: UUID,
    user_ids: Sequence[str],
    profile: Callable[[str, User | None], Mapping[str, Any]],
    actor: str | None,
    *,
    unknown: Sequence[str] = (),
) -> list[Written]:
    """`unknown` is filled by `profile`: when it is not empty, nothing is written and `UnknownUsers` raised."""
    await shard.logs.lock(uow, app_id, map(user_log, user_ids))
    repository = UserRepository(uow.session, app_id)
    held = await repository.get_many(user_ids)
    at = truncate_ms(shard.clock.now())
    created: set[str] = set()
    changed: list[str] = []
    wanted = {user_id: profile(user_id, held.get(user_id)) for user_id in sorted(user_ids)}
    if unknown:
        raise UnknownUsers.of(list(unknown), field="users")
    # In key order, so that two batches that name the same users wait for each other at the first.
    for user_id, values in wanted.items():
        if user_id in held and values == _held(held[user_id]):
            continue
        if await repository.write(_user(user_id, values, at)):
            created.add(user_id)
        else:
            changed.append(user_id)
    current = await repository.get_many(user_ids)
    # A user who is new has nobody connected who could follow the log.
    if changed:
        entries = [
            NewEntry(
                log=user_log(user_id), type="user.updated", data={"user": user_view(current[user_id])}, actor=actor
            )
            for user_id in changed
        ]
        await shard.logs.append(uow, app_id, entries, at=at)
        await tell_watchers(shard, uow, app_id, [current[user_id] for user_id in changed], actor=actor, at=at)
    return [Written(current[user_id], user_id in created) for user_id in user_ids]


async def tell_watchers(
    shard: Shard, uow: UnitOfWork, app_id: UUID, users: Sequence[User], *, actor: str | None, at: datetime
) -> None:
    """Let those hear of changed profiles, in passing, who watch a channel that the user is in.

    One read and one message on the bus a user, whatever the number of channels; no write. Who does not watch sees the
    profile, with a later `updated_at`, when it next reads it.
    """
    channels = await UserRepository(uow.session, app_id).channels_of([user.id for user in users], most=MAX_TOLD)
    entries = [
        profile_entry(
            app_id=app_id,
            epoch=shard.logs.epoch,
            at=at,
            actor=actor,
            user=user_view(user),
            channels=channels[user.id],
        )
        for user in users
        if user.id in channels
    ]
    if entries:
        shard.logs.tell(uow, entries)


def _whole(profile: PutUser) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in _PROFILE}


def _held(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in _PROFILE}


def _user(user_id: str, values: Mapping[str, Any], at: datetime) -> User:
    return User(id=user_id, created_at=at, updated_at=at, **values)
