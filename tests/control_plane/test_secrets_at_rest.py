"""A copy of the database opens nothing, and neither do the logs: no password, token or link is in them in clear."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import structlog

from control_plane.accounts.addresses import confirm_change, request_change
from control_plane.accounts.authenticators import turn_on
from control_plane.accounts.errors import WrongCredentials
from control_plane.accounts.local import create_outbox_link, open_local
from control_plane.accounts.person import Person
from control_plane.accounts.profile import change_password
from control_plane.accounts.reset import request_reset, reset_password
from control_plane.accounts.second_step import finish_sign_in
from control_plane.accounts.sessions import NewSession, SignedIn, resolve
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import confirm, sign_up
from control_plane.accounts.staff import create_staff
from control_plane.accounts.step_up import confirm_session
from control_plane.accounts.totp import spell
from control_plane.members.invitations import invite
from tests.control_plane.accounts.second_steps import offered_app
from tests.control_plane.fixtures import World

PASSWORDS = ["canary-password-1", "canary-password-2", "canary-password-3", "canary-password-4"]


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Everything that is logged at any level, as it leaves the process."""
    lines: list[str] = []

    def keep(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        lines.append(json.dumps(event, default=repr))
        return event

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    before = structlog.get_config()
    structlog.configure(processors=[keep, *before["processors"]], cache_logger_on_first_use=False)
    forget_forms()
    handler = Keep(level=logging.DEBUG)
    logging.getLogger().addHandler(handler)
    # Statements with their parameters: what a careless setting would write.
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    yield lines
    logging.getLogger().removeHandler(handler)
    structlog.configure(**before)


def forget_forms() -> None:
    """Loggers that were used while another test configured logging may have kept that form for ever."""
    for module in list(sys.modules.values()):
        for value in list(vars(module).values()):
            if type(value).__name__ == "BoundLoggerLazyProxy":
                vars(value).pop("bind", None)


async def whole_life(world: World) -> list[str]:
    """Use every flow that knows a secret; returns the secrets."""
    deps, email = world.deps, "ada@example.com"
    secrets: list[str] = list(PASSWORDS)
    cookie = await sign_up(deps, email=email, name="Ada", password=PASSWORDS[0], client=world.client())
    secrets.append(cookie)
    secrets.append(await world.link(email))
    session = await confirm(deps, secrets[-1], cookie=cookie, client=world.client())
    assert session.person is not None
    secrets.append(session.token)
    with pytest.raises(WrongCredentials):
        await sign_in(deps, email=email, password=PASSWORDS[3], client=world.client())
    session = await sign_in(deps, email=email, password=PASSWORDS[0], client=world.client())
    secrets.append(session.token)
    await resolve(deps, session.token)
    person = session.person
    assert person is not None
    session = await change_password(deps, person, current=PASSWORDS[0], new=PASSWORDS[1], client=world.client())
    secrets.append(session.token)
    await request_reset(deps, email=email, client=world.client())
    secrets.append(await world.link(email))
    secrets.append((await reset_password(deps, secrets[-1], password=PASSWORDS[2], client=world.client())).token)
    secrets += await _second_steps(world, person)
    ada = await world.owner("grace@example.com")
    secrets.append(await world.link("grace@example.com"))
    async with deps.change_as(ada, "req_test") as ctx:
        await invite(ctx, ada, email="bob@example.com", role="viewer")
    secrets.append(await world.link("bob@example.com"))
    async with world.change() as ctx:
        secrets.append((await create_staff(ctx, email="root@example.com")).url.rpartition("/")[2])
        secrets.append((await create_outbox_link(ctx)).rpartition("/")[2])
    secrets.append((await open_local(deps, secrets[-1], client=world.client())).token)
    made = await world.app(ada)
    assert made.secret_key is not None
    secrets.append(made.secret_key)
    return secrets


async def _second_steps(world: World, person: Person) -> list[str]:
    """An authenticator's secret, recovery codes, the token of a first step, and links that move an address."""
    deps, email = world.deps, "countess@example.com"
    session = await sign_in(deps, email=person.email, password=PASSWORDS[2], client=world.client())
    assert isinstance(session, NewSession)
    app = await offered_app(world, person)
    who = SignedIn(session.session_id, "account", person)
    codes = await turn_on(deps, who, code=app.code(world.clock.now()), client=world.client())
    step = await sign_in(deps, email=person.email, password=PASSWORDS[2], client=world.client())
    entered = await finish_sign_in(deps, step.token, code=codes[0], client=world.client())
    renewed = await confirm_session(deps, who, password=PASSWORDS[2], client=world.client())
    await request_change(deps, person, email=email, client=world.client())
    to_new = await world.link(email)
    await confirm_change(deps, person, to_new, client=world.client())
    back = await world.link(person.email)
    spelled = [spell(app.secret), *(code.replace("-", "") for code in codes)]
    return [session.token, *spelled, *codes, step.token, entered.token, renewed.token, to_new, back]


async def found_at_rest(admin_url: str, needles: list[str]) -> set[tuple[str, str]]:
    """`(table, needle)` wherever a row of schema control, seen as text, holds one, also inside bytes."""
    connection = await asyncpg.connect(admin_url)
    try:
        found = set()
        for (table,) in await connection.fetch("select tablename from pg_tables where schemaname = 'control'"):
            for (row,) in await connection.fetch(f"select t::text from control.{table} t"):
                for needle in needles:
                    if needle in row or needle.encode().hex() in row:
                        found.add((table, needle))
        return found
    finally:
        await connection.close()


async def test_neither_the_database_nor_the_logs_hold_a_password_or_a_token(world: World, logged: list[str]) -> None:
    secrets = await whole_life(world)

    assert len(secrets) == len(set(secrets)) > 15
    assert await found_at_rest(world.admin_url, secrets) == set()
    assert logged, "something was logged"
    assert not [line for line in logged for secret in secrets if secret in line]


async def test_a_secret_that_is_left_behind_is_found(world: World, logged: list[str]) -> None:
    ada = await world.owner("ada-canary@example.com", "canary-password-1")
    assert await found_at_rest(world.admin_url, ["canary-password-1"]) == {
        ("organizations", "canary-password-1"),
        ("audit_entries", "canary-password-1"),
    }
    connection = await asyncpg.connect(world.admin_url)
    await connection.execute(
        "insert into control.mails values ($1, 'x', $2, now())", ada.account_id, b"sealed? canary-password-2"
    )
    await connection.close()
    assert await found_at_rest(world.admin_url, ["canary-password-2"]) == {("mails", "canary-password-2")}
    structlog.stdlib.get_logger("x").info("careless", note="canary-password-3")
    assert any("canary-password-3" in line for line in logged)
