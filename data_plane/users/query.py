"""`POST /v1/users/query`: what users can be asked by. Profiles are open to everybody in the app."""

from typing import Any, Final, cast

from sqlalchemy import Boolean, ColumnElement, Table, Text, literal_column, select

from data_plane.grants.defaults import GUEST
from data_plane.identity.caller import Caller
from data_plane.query.compile import compare, prefix
from data_plane.query.fields import EQUALITY, MAYBE, RANGE, WORDS, Field, Index, Resource, of
from data_plane.query.parse import AllOf, Condition, Node
from data_plane.query.run import Runner, Scope
from data_plane.query.schemas import Query
from data_plane.users.models import User
from data_plane.users.repository import UserRepository
from data_plane.users.views import QueriedUsers, user_view
from kernel.db import UnitOfWork
from kernel.errors import Forbidden


def _id_condition(operator: str, value: Any) -> ColumnElement[bool]:
    return prefix(User.id, value[0]) if operator == "$autocomplete" else compare(User.id, operator, value)


USERS: Final = Resource(
    name="users",
    table=cast(Table, User.__table__),
    id="id",
    primary="users_pkey",
    fields=of(
        Field("id", "text", EQUALITY | RANGE | WORDS, User.id, sorts=True, special=_id_condition),
        Field(
            "name",
            "text",
            EQUALITY | MAYBE | WORDS,
            User.name,
            literal_column("(coalesce(chat.users.name, '') collate \"C\")", Text),
            sorts=True,
        ),
        Field("role", "text", EQUALITY, User.role),
        Field("created_at", "time", RANGE, User.created_at, sorts=True),
        Field("updated_at", "time", RANGE, User.updated_at, sorts=True),
        Field("deactivated_at", "time", RANGE | MAYBE, User.deactivated_at),
    ),
    indexes=(
        Index("users_by_created", "created_at", literal_column("chat.users.created_at > '-infinity'", Boolean)),
        Index("users_by_updated", "updated_at", literal_column("chat.users.updated_at > '-infinity'", Boolean)),
        Index("users_by_role", "role", literal_column("chat.users.role > ''", Boolean)),
        Index("users_by_name", "name", literal_column("coalesce(chat.users.name, '') collate \"C\" >= ''", Boolean)),
    ),
    words="users",
    custom=User.custom,
)


async def query_users(uow: UnitOfWork, caller: Caller, query: Query) -> QueriedUsers:
    """A page of the users that match; deactivated ones only when the filter speaks of `deactivated_at`.

    Raises `Forbidden` for guests, `BadFilter`, `InvalidInput` for a cursor of another query, `QueryTooSlow`.
    """
    runner = Runner(uow.session, caller.app_id)
    parsed = await runner.parse(USERS, query)
    if caller.user_id is not None and not _names_users(parsed.conditions) and await _is_guest(uow, caller):
        raise Forbidden("Guests look up users that they name (`id` with `$eq` or `$in`), and search for nobody.")
    fixed: list[ColumnElement[bool]] = [User.app_id == caller.app_id]
    if not _speaks_of(parsed.conditions, "deactivated_at"):
        fixed.append(User.deactivated_at.is_(None))
    page = await runner.page(parsed, Scope(fixed))
    users = await UserRepository(uow.session, caller.app_id).get_many(page.ids)
    answer: QueriedUsers = {
        "users": [user_view(users[user_id]) for user_id in page.ids],
        "next_cursor": page.next_cursor,
    }
    if page.explanation is not None:
        answer["explain"] = page.explanation
    return answer


def _names_users(conditions: AllOf) -> bool:
    """Whether a filter is for users whose ids it names."""
    return any(
        isinstance(part, Condition) and part.name == "id" and part.operator in ("$eq", "$in")
        for part in conditions.parts
    )


async def _is_guest(uow: UnitOfWork, caller: Caller) -> bool:
    """Anybody may be a guest, where an app lets them in: the list of its users is nothing for everybody."""
    role = await uow.session.scalar(select(User.role).where(User.app_id == caller.app_id, User.id == caller.user_id))
    return role == GUEST


def _speaks_of(node: Node, name: str) -> bool:
    if isinstance(node, Condition):
        return node.name == name
    return any(_speaks_of(part, name) for part in node.parts)
