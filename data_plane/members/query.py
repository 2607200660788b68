"""`POST /v1/channels/{id}/members/query`: who is in a channel, by role, by when they came, by name, by what is kept
with them."""

from dataclasses import replace
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Table, literal_column, select

from data_plane.channels.access import visible_channel
from data_plane.identity.caller import Caller
from data_plane.members.models import Member
from data_plane.members.repository import MemberRepository
from data_plane.members.views import QueriedMembers, member_view
from data_plane.query.compile import compare, prefix
from data_plane.query.fields import EQUALITY, RANGE, WORDS, Field, Index, Resource, of
from data_plane.query.run import Runner, Scope
from data_plane.query.schemas import Query
from data_plane.shard import Shard
from data_plane.users.models import User
from kernel.db import UnitOfWork


def _id_condition(operator: str, value: Any) -> ColumnElement[bool]:
    return prefix(Member.user_id, value[0]) if operator == "$autocomplete" else compare(Member.user_id, operator, value)


MEMBERS: Final = Resource(
    name="members",
    table=cast(Table, Member.__table__),
    id="user_id",
    primary="members_pkey",
    fields=of(
        Field("user_id", "text", EQUALITY | RANGE | WORDS, Member.user_id, sorts=True, special=_id_condition),
        Field("role", "text", EQUALITY, Member.role),
        Field("joined_at", "time", RANGE, Member.joined_at, sorts=True),
        Field("name", "text", WORDS),
    ),
    indexes=(
        Index("members_by_role", "role", literal_column("chat.members.role > ''", Boolean)),
        Index("members_by_joined", "joined_at", literal_column("chat.members.joined_at > '-infinity'", Boolean)),
    ),
    words="users",
    custom=Member.custom,
    declares=False,
)


def members_of(app_id: UUID) -> Resource:
    """The resource, with the names in the profiles of an app's users."""
    name = select(User.name).where(User.app_id == app_id, User.id == Member.user_id).scalar_subquery()
    return replace(MEMBERS, fields={**MEMBERS.fields, "name": replace(MEMBERS.fields["name"], column=name)})


async def query_members(shard: Shard, uow: UnitOfWork, caller: Caller, channel_id: str, query: Query) -> QueriedMembers:
    """A page of a channel's members that match; `name` looks into their profiles.

    Raises `NotFound` when the caller does not see the channel, `BadFilter`, `InvalidInput` for a cursor of another
    query, `QueryTooSlow`.
    """
    runner = Runner(uow.session, caller.app_id)
    parsed = await runner.parse(members_of(caller.app_id), query)
    await visible_channel(shard, uow, caller, channel_id)
    scope = Scope([Member.app_id == caller.app_id, Member.channel_id == channel_id], f"c:{channel_id}")
    page = await runner.page(parsed, scope)
    members = await MemberRepository(uow.session, caller.app_id).find(channel_id, page.ids)
    answer: QueriedMembers = {
        "members": [member_view(members[user_id]) for user_id in page.ids],
        "next_cursor": page.next_cursor,
    }
    if page.explanation is not None:
        answer["explain"] = page.explanation
    return answer
