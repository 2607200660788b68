"""When keys were last used is told once a minute, and costs no request of its own."""

from datetime import timedelta

import httpx
import jwt
import pytest

from data_plane.identity.authenticate import Authenticator
from data_plane.tenancy.copies import SnapshotCopies
from data_plane.tenancy.key_uses import MOST, PERIOD, KeyUses, as_parameter
from data_plane.tenancy.puller import SnapshotPuller
from data_plane.tenancy.store import SnapshotStore
from data_plane.tenancy.unknown_kids import UnknownKids
from kernel.clock import ManualClock
from kernel.contracts import SigningKey
from kernel.security.tokens import TokenInvalid, names_unknown_key
from tests.data_plane.tenancy.control import Control


def test_a_busy_key_is_told_of_once_a_minute() -> None:
    clock = ManualClock()
    uses = KeyUses(clock)
    told = 0
    for _ in range(600):
        uses.note("key_a")
        due = uses.due()
        told += len(due)
        uses.told(due)
        clock.advance(timedelta(seconds=1))
    assert told == 10
    assert uses.due() == {}


def test_the_last_use_is_told_in_the_end_and_a_failed_poll_loses_none() -> None:
    clock = ManualClock()
    uses = KeyUses(clock)
    uses.note("key_a")
    assert uses.due() == uses.due() == {"key_a": clock.now()}, "until it was told"
    uses.told(uses.due())
    clock.advance(timedelta(seconds=30))
    uses.note("key_a")
    last = clock.now()
    for _ in range(5):
        clock.advance(PERIOD)
        due = uses.due()
        uses.told(due)
        if due:
            break
    assert due == {"key_a": last}


def test_many_keys_are_told_of_in_turn() -> None:
    uses = KeyUses(ManualClock())
    for number in range(MOST + 5):
        uses.note(f"key_{number}")
    first = uses.due()
    uses.told(first)
    second = uses.due()
    assert (len(first), len(second)) == (MOST, 5)
    assert as_parameter({"key_a": ManualClock().now()}) == f"key_a@{int(ManualClock().now().timestamp())}"


def test_an_app_whose_tokens_name_unknown_keys_is_told_of_once_a_minute() -> None:
    clock = ManualClock()
    unknown = UnknownKids(clock)
    told = []
    for second in range(150):
        unknown.note("app_a")
        due = unknown.due()
        assert due == unknown.due(), "until it was told"
        unknown.told(due)
        told += [second] * len(due)
        clock.advance(timedelta(seconds=1))
    assert told == [0, 60, 120]


def test_a_token_that_names_a_key_of_nobody_is_known_as_such() -> None:
    known = {"a": SigningKey(kid="a", algorithm="HS256", key="x" * 40, mint=True)}
    for headers, unknown in (({"kid": "b"}, True), ({"kid": "a"}, False), ({}, False)):
        token = jwt.encode({"sub": "ada"}, "y" * 40, algorithm="HS256", headers=headers)
        assert names_unknown_key(token, known) is unknown
    assert not names_unknown_key("nonsense", known)


async def test_a_token_of_a_key_that_is_not_known_is_told_of_with_the_next_poll(node, serve):
    control = Control()
    control.publish(node.tenant.snapshot)
    served = await serve(control.app())
    unknown = UnknownKids(node.clock)
    parts = (node.store, node.revocations, node.vault, node.clock)
    authenticator = Authenticator(*parts, None, unknown)
    puller = SnapshotPuller(
        store=SnapshotStore(),
        copies=SnapshotCopies(node.system, node.vault),
        control_url=served.url,
        credential="nk_test",
        unknown=unknown,
    )
    authenticator.bearer(node.user_token("ada"))
    await puller.pull()
    assert "unknown_kids" not in control.polls[-1]
    claims = jwt.decode(node.user_token("ada"), options={"verify_signature": False})
    strange = jwt.encode(claims, "z" * 40, algorithm="HS256", headers={"kid": "of-nobody"})
    for _ in range(3):
        with pytest.raises(TokenInvalid):
            authenticator.bearer(strange)
    # A control plane that does not know the word keeps the node waiting for one poll, and no longer.
    control.status = 422
    with pytest.raises(httpx.HTTPStatusError):
        await puller.pull()
    assert control.polls[-1]["unknown_kids"] == node.tenant.snapshot.app_id
    control.status = 200
    puller.ready.clear()
    await puller.pull()
    assert "unknown_kids" not in control.polls[-1]
    await puller.stop()
