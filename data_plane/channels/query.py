"""`POST /v1/channels/query`: what channels can be asked by, and who sees which."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Table, Text, and_, exists, func, literal_column, or_, select
from sqlalchemy.orm import aliased

from data_plane.channels.create import view_of
from data_plane.channels.kept import Kept, kept_so
from data_plane.channels.models import Channel
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import QueryChannels
from data_plane.channels.views import QueriedChannels
from data_plane.grants.defaults import TYPES
from data_plane.grants.permissions import Permission
from data_plane.grants.standing import Standing, standing_of_server, standing_of_user
from data_plane.identity.caller import Caller
from data_plane.members.models import Member
from data_plane.messages.models import Message
from data_plane.query.compile import compare, prefix
from data_plane.query.fields import EQUALITY, HOLDS, MAYBE, ORDERED, RANGE, WORDS, Field, Index, Resource, of
from data_plane.query.parse import Condition
from data_plane.query.plan import Driver
from data_plane.query.run import Parsed, Runner, Scope
from data_plane.shard import Shard
from kernel.db import UnitOfWork


def _id_condition(operator: str, value: Any) -> ColumnElement[bool]:
    return prefix(Channel.id, value[0]) if operator == "$autocomplete" else compare(Channel.id, operator, value)


_MEMBERS = Field("members", "text", EQUALITY | HOLDS)
CHANNELS: Final = Resource(
    name="channels",
    table=cast(Table, Channel.__table__),
    id="id",
    primary="channels_pkey",
    fields=of(
        Field("id", "text", EQUALITY | RANGE | WORDS, Channel.id, sorts=True, special=_id_condition),
        Field("type", "text", EQUALITY, Channel.type, one_of=tuple(TYPES)),
        Field(
            "name",
            "text",
            EQUALITY | MAYBE | WORDS,
            Channel.name,
            literal_column("(coalesce(chat.channels.name, '') collate \"C\")", Text),
            sorts=True,
        ),
        Field("created_by", "text", EQUALITY | MAYBE, Channel.created_by),
        Field("frozen", "boolean", frozenset({"$eq"}), Channel.frozen),
        Field("created_at", "time", ORDERED - EQUALITY, Channel.created_at, sorts=True),
        Field("updated_at", "time", ORDERED - EQUALITY, Channel.updated_at, sorts=True),
        _MEMBERS,
    ),
    indexes=(
        Index("channels_by_created", "created_at", literal_column("chat.channels.created_at > '-infinity'", Boolean)),
        Index("channels_by_updated", "updated_at", literal_column("chat.channels.updated_at > '-infinity'", Boolean)),
        Index("channels_by_type", "type", literal_column("chat.channels.type > ''", Boolean)),
        Index("channels_by_creator", "created_by", literal_column("chat.channels.created_by > ''", Boolean)),
        Index(
            "channels_by_name", "name", literal_column("coalesce(chat.channels.name, '') collate \"C\" >= ''", Boolean)
        ),
    ),
    words="channels",
    custom=Channel.custom,
)


class ChannelQuery:
    """The use case, within one transaction that sees one instant."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def run(self, uow: UnitOfWork, caller: Caller, query: QueryChannels) -> QueriedChannels:
        """A page of the channels that match and that the caller sees; a server may ask for a user's.

        Raises `BadFilter`, `InvalidInput` for a cursor of another query, `QueryTooSlow`.
        """
        user = caller.acting_as(query.user_id) if query.user_id is not None or not caller.is_server else None
        if user is None:
            standing = await standing_of_server(self._shard, uow, caller.app_id)
        else:
            standing = await standing_of_user(self._shard, uow, caller.app_id, user)
        runner = Runner(uow.session, caller.app_id)
        now = self._shard.clock.now()
        parsed = await runner.parse(channels_of(caller.app_id, standing.table.types, user, now), query)
        page = await runner.page(parsed, _scope(caller, user, standing, parsed, now))
        viewer = standing if not caller.is_server else Standing.of_server(standing.table)
        states = await ChannelRepository(uow.session, caller.app_id).many(page.ids, user)
        answer: QueriedChannels = {
            "channels": [view_of(states[channel_id], viewer) for channel_id in page.ids],
            "next_cursor": page.next_cursor,
        }
        if page.explanation is not None:
            answer["explain"] = page.explanation
        return answer


_ARRANGED: Final = ("archived", "hidden", "muted", "pinned")
_LAST_PIN: Final = 1e300
"""Where channels stand that are not pinned."""


def channels_of(
    app_id: UUID, types: Iterable[str] = TYPES, user: str | None = None, now: datetime | None = None
) -> Resource:
    """The resource, with a condition on members that knows the app, the app's channel types, and for a user what it has
    arranged."""

    def members(operator: str, value: Any) -> ColumnElement[bool]:
        return _is_member(app_id, value if operator == "$in" else [value])

    type = replace(CHANNELS.fields["type"], one_of=tuple(types))
    own = {each.name: each for each in _arranged(app_id, user, now)} if user is not None else {}
    fields = {**CHANNELS.fields, "type": type, "members": replace(_MEMBERS, special=members), **own}
    return replace(CHANNELS, fields=fields)


def _arranged(app_id: UUID, user: str, now: datetime | None) -> Iterable[Field]:
    members = aliased(Member)
    own = and_(members.app_id == app_id, members.channel_id == Channel.id, members.user_id == user)

    def condition(name: str) -> Callable[[str, Any], ColumnElement[bool]]:
        def made(operator: str, value: Any) -> ColumnElement[bool]:
            return exists().where(own, *kept_so(Kept(**{name: value}), user, now, members))

        return made

    for name in _ARRANGED:
        yield Field(name, "boolean", frozenset({"$eq"}), special=condition(name))
    last = (
        select(Message.created_at)
        .where(Message.app_id == app_id, Message.channel_id == Channel.id, Message.seq >= Channel.truncated_to)
        .order_by(Message.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    # Looked up where it stands, one step into an index for each channel: a column would be a write for each send.
    yield Field("last_message_at", "time", frozenset(), func.coalesce(last, Channel.created_at), sorts=True)
    place = select(func.coalesce(members.pin_order, _LAST_PIN)).where(own).scalar_subquery()
    yield Field("pin_order", "number", frozenset(), func.coalesce(place, _LAST_PIN), sorts=True)


def _scope(caller: Caller, user: str | None, standing: Standing, parsed: Parsed, now: datetime) -> Scope:
    app_id = caller.app_id
    fixed: list[ColumnElement[bool]] = [Channel.app_id == app_id, Channel.deleted_at.is_(None)]
    if user is None:
        drivers = [
            (_memberships(app_id, condition.value), condition)
            for condition in parsed.conditions.parts
            if isinstance(condition, Condition) and condition.name == "members" and condition.operator != "$in"
        ]
        return Scope(fixed, drivers=drivers)
    place = f"u:{user}"
    named = [part for part in parsed.conditions.parts if isinstance(part, Condition) and part.operator in EQUALITY]
    # A user who is no member sees channels that it may watch, when it asks for them by id or for their type.
    open_types = [type for type in standing.table.types if Permission.CHANNEL_WATCH in standing.of_type(type)]
    visible = [*fixed, or_(_watchable(standing.app_role or "", open_types), _is_member(app_id, [user]))]
    if any(part.name == "id" for part in named):
        return Scope(visible, place)
    for part in named:
        types = part.value if isinstance(part.value, list) else [part.value]
        if part.name == "type" and set(types) <= set(open_types):
            return Scope(visible, place)
    simple = [part for part in parsed.conditions.parts if isinstance(part, Condition)]
    asked = {part.name: part.value for part in simple if part.name in _ARRANGED}
    if not caller.is_server:
        # Whoever does not speak of them means what is in sight.
        spoken = set(_names(parsed.conditions.parts))
        asked |= {name: False for name in ("archived", "hidden") if name not in spoken}
    kept = Kept(**asked)
    driver = replace(
        _memberships(app_id, user),
        index=_index_of(kept),
        where=(Member.app_id == app_id, Member.user_id == user, *kept_so(kept, user, now)),
    )
    return Scope(fixed, place, [(driver, None)], must_drive=True)


def _index_of(kept: Kept) -> str:
    """The index with the fewest memberships in it that answers this."""
    if kept.pinned:
        return "members_pinned"
    if kept.hidden:
        return "members_hidden"
    if kept.archived:
        return "members_archived"
    return "members_muted" if kept.muted else "members_by_user"


def _names(nodes: Iterable[Any]) -> list[str]:
    names: list[str] = []
    for node in nodes:
        names += [node.name] if isinstance(node, Condition) else _names(node.parts)
    return names


def _watchable(app_role: str, open_types: Sequence[str]) -> ColumnElement[bool]:
    """Whether an app role may watch a channel: as the channel says, or else as its type says."""
    own: ColumnElement[Any] = Channel.grants[app_role]
    return func.coalesce(
        own.op("?", return_type=Boolean())(Permission.CHANNEL_WATCH.value), Channel.type.in_(open_types)
    )


def _memberships(app_id: UUID, user_id: str) -> Driver:
    return Driver(
        index="members_by_user",
        table=Member.__table__,
        id=Member.channel_id,
        where=(Member.app_id == app_id, Member.user_id == user_id),
        of="channels of the user",
    )


def _is_member(app_id: UUID, user_ids: list[str]) -> ColumnElement[bool]:
    members: Any = Member.__table__.alias()
    return exists().where(
        members.c.app_id == app_id,
        members.c.channel_id == Channel.id,
        compare(members.c.user_id, "$in", user_ids),
    )
