"""Who is nobody is taken for nobody else: neither by its key, nor by what it is made of, nor by its grants."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.dependencies import require_scope
from data_plane.grants.defaults import ANONYMOUS, CHANNEL, ROLES, TYPES
from data_plane.grants.permissions import EVERYTHING, Permission
from data_plane.grants.standing import Standing, sight
from data_plane.grants.table import DEFAULTS, ChannelType, GrantTable, Role
from data_plane.identity.authenticate import count_as_active, somebody
from data_plane.identity.caller import AnonymousCaller, Client, Reader, ServerCaller, UserCaller, own_id
from data_plane.identity.errors import AnonymousOff, AnonymousRefused, OriginNotAllowed
from data_plane.tenancy.errors import AppDeleted, AppSuspended
from kernel.errors import Unauthenticated
from kernel.security import keys
from tests.data_plane.conftest import App
from tests.data_plane.node import Node

NOBODY_MAY = {Permission.CHANNEL_WATCH}


class Channel:
    """A channel of a type, with grants of its own."""

    def __init__(self, type: str, grants: dict[str, list[str]]) -> None:
        self.type = type
        self.grants = grants


# -- by its key --------------------------------------------------------------------------------------------------------


async def test_a_publishable_key_alone_opens_nothing_until_the_app_lets_visitors_in(node: Node) -> None:
    key, tenant = node.tenant.publishable_key, node.tenant

    def come(origin: str | None = None) -> Reader:
        return node.authenticator.bearer(key, origin=origin, address=lambda: "192.0.2.1")

    with pytest.raises(AnonymousOff):
        come()
    node.change(tenant, guests=True)
    with pytest.raises(AnonymousOff):
        come()
    node.change(tenant, anonymous=True, allowed_origins=("https://shop.example",))
    reader = come("https://shop.example")
    assert isinstance(reader, AnonymousCaller)
    assert (reader.app_id, reader.key, reader.address) == (tenant.app_id, key, "192.0.2.1")
    with pytest.raises(OriginNotAllowed):
        come("https://evil.example")
    refusals: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"status": "suspended"}, AppSuspended),
        ({"status": "deleted"}, AppDeleted),
        ({"status": "active", "anonymous": False}, AnonymousOff),
        ({"anonymous": True, "publishable_keys": ()}, Unauthenticated),
    ]
    for changes, error in refusals:
        node.change(tenant, **changes)
        with pytest.raises(error):
            come()
    with pytest.raises(Unauthenticated):
        node.authenticator.bearer(keys.generate("pk"))


async def test_nobody_is_never_active(node: Node) -> None:
    node.change(node.tenant, anonymous=True)
    await count_as_active(node.activity, node.authenticator.bearer(node.tenant.publishable_key))
    await count_as_active(node.activity, node.authenticator.bearer(node.tenant.secret_key))
    assert await node.rows("select 1 from chat.active_users") == []
    await count_as_active(node.activity, node.authenticator.bearer(node.user_token("ada")))
    assert len(await node.rows("select 1 from chat.active_users")) == 1


# -- by what it is made of ---------------------------------------------------------------------------------------------


def test_a_visitor_has_nothing_that_a_question_about_a_caller_is_answered_by(app: App) -> None:
    visitor: Any = app.nobody
    for name in ("user_id", "is_server", "acting_as", "require_server", "scopes", "key_id", "token_issued_at"):
        assert hasattr(app.server, name) or hasattr(app.user("ann"), name)
        with pytest.raises(AttributeError):
            getattr(visitor, name)
    assert own_id(app.nobody) is None and own_id(app.user("ann")) == "ann" and own_id(app.server) is None
    require_scope(app.nobody, "messages")
    with pytest.raises(AnonymousRefused, match="anonymous"):
        somebody(app.nobody)
    callers: list[ServerCaller | UserCaller] = [app.server, app.user("ann")]
    assert [somebody(caller) for caller in callers] == callers


def test_the_kinds_that_readers_and_clients_are(app: App) -> None:
    kinds: Callable[[Any], set[type]] = lambda alias: set(alias.__args__)  # noqa: E731
    assert kinds(Reader) == {ServerCaller, UserCaller, AnonymousCaller}
    assert kinds(Client) == {UserCaller, AnonymousCaller}
    assert not any(issubclass(AnonymousCaller, kind) for kind in (ServerCaller, UserCaller))


# -- by its grants -----------------------------------------------------------------------------------------------------


def test_by_default_nobody_watches_livestreams_and_sees_nothing_else() -> None:
    nobody = Standing.of_nobody(DEFAULTS)
    allowed = {type: set(nobody.granted(Channel(type, {}), None)) for type in DEFAULTS.types}
    assert allowed == {type: NOBODY_MAY if type == "livestream" else set() for type in TYPES}
    assert ROLES[ANONYMOUS] == frozenset()


def test_a_standing_that_was_not_said_to_be_anybodys_may_do_nothing() -> None:
    unsaid = Standing(DEFAULTS)
    for type in DEFAULTS.types:
        assert unsaid.granted(Channel(type, {}), None) == frozenset()
        assert not unsaid.granted(Channel(type, {}), "owner") - NOBODY_MAY
        assert unsaid.of_type(type) == frozenset()
    assert unsaid.capabilities(Channel("team", {}), None) == []
    assert Standing.of_server(DEFAULTS).granted(Channel("team", {}), None) == EVERYTHING


_SOME = st.frozensets(st.sampled_from(list(Permission)))


@given(role=_SOME, by_type=st.none() | _SOME, by_channel=st.none() | _SOME, everybody=_SOME)
def test_whatever_is_granted_to_it_nobody_at_most_watches(
    role: frozenset[Permission],
    by_type: frozenset[Permission] | None,
    by_channel: frozenset[Permission] | None,
    everybody: frozenset[Permission],
) -> None:
    kind = ChannelType(
        name="salon", creator_role="owner", grants={} if by_type is None else {ANONYMOUS: by_type, "user": everybody}
    )
    roles = [Role(name=ANONYMOUS, scopes=("app",), grants=role), Role(name="x", scopes=(CHANNEL,), grants=everybody)]
    table = GrantTable([kind], roles, seq=1)
    channel = Channel("salon", {} if by_channel is None else {ANONYMOUS: sorted(by_channel)})
    said = by_channel if by_channel is not None else by_type if by_type is not None else role
    before = sight(Standing.of_nobody(table), channel, None)
    assert before.allowed == said & NOBODY_MAY
    assert before.standing.capabilities(channel, None) == sorted(before.allowed)
    assert not before.standing.of_type("salon") - NOBODY_MAY
