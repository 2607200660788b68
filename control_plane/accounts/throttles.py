"""Throttles of what strangers may try: GCRA, kept in PostgreSQL so that all control processes count together.

Each rule lets `burst` calls through at once and then one every `every`. A subject's state is one timestamp, the
theoretical arrival time (ITU-T I.371, the virtual scheduling algorithm).
"""

import hmac
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.context import Deps
from kernel.errors import RateLimited


@dataclass(frozen=True, slots=True)
class Rule:
    """How often one subject may do something. `name` is part of the stored key."""

    name: str
    burst: int
    every: timedelta


SIGN_IN_BY_EMAIL: Final = Rule("sign_in.email", 10, timedelta(minutes=1))
SIGN_IN_BY_IP: Final = Rule("sign_in.ip", 60, timedelta(seconds=6))
MAIL_BY_EMAIL: Final = Rule("mail.email", 5, timedelta(minutes=10))
"""Mails that a stranger can have sent to an address: to confirm it, and to reset its password."""
MAIL_BY_IP: Final = Rule("mail.ip", 30, timedelta(minutes=1))
SECOND_STEP: Final = Rule("second_step", 6, timedelta(minutes=2))
"""Codes that an account is tried with: of a million, three are right at a time, so that who knows the password needs
years. Who has too many wrong ones waits, and the owner with him; recovery codes count alike."""
CONFIRM_BY_LINK: Final = Rule("confirm.link", 10, timedelta(minutes=1))
"""Guesses at the password that belongs to a link."""

_TAKE = text(
    """
    insert into control.throttles as t (key, tat)
    values (:key, cast(:now as timestamptz) + cast(:every as interval))
    on conflict (key) do update set tat = greatest(t.tat, cast(:now as timestamptz)) + cast(:every as interval)
    where greatest(t.tat, cast(:now as timestamptz)) + cast(:every as interval)
        <= cast(:now as timestamptz) + cast(:window as interval)
    returning tat
    """
)
_TAT = text("select tat from control.throttles where key = :key")
_FORGIVE = text("delete from control.throttles where key = :key")


async def take(deps: Deps, *wanted: tuple[Rule, str]) -> None:
    """Count one call of each subject, in a transaction of its own that stands whatever comes after.

    Raises `RateLimited` when one of them may not; the others are counted all the same.
    """
    now = deps.clock.now()
    wait = 0.0
    # In the order of their keys, so that two calls never wait for each other in a circle.
    keyed = sorted({_key(deps, rule, subject): rule for rule, subject in wanted}.items(), key=lambda pair: pair[0])
    async with deps.database.unit_of_work() as uow:
        for key, rule in keyed:
            wait = max(wait, await _take_one(uow.session, key, rule, now))
    if wait > 0:
        seconds = math.ceil(wait)
        raise RateLimited(f"Too many tries. Try again in {_in_words(seconds)}.", retry_after=seconds)


async def forgive(deps: Deps, rule: Rule, subject: str) -> None:
    """Forget the subject's calls: it has shown that it is no guesser."""
    async with deps.database.unit_of_work() as uow:
        await uow.session.execute(_FORGIVE, {"key": _key(deps, rule, subject)})


async def _take_one(session: AsyncSession, key: str, rule: Rule, now: datetime) -> float:
    """0, or the seconds until the next call would be in order."""
    values = {"key": key, "now": now, "every": rule.every, "window": rule.burst * rule.every}
    if (await session.execute(_TAKE, values)).one_or_none() is not None:
        return 0.0
    tat: datetime = (await session.execute(_TAT, {"key": key})).scalar_one()
    return max(0.001, (tat + rule.every - rule.burst * rule.every - now).total_seconds())


def _key(deps: Deps, rule: Rule, subject: str) -> str:
    digest = hmac.new(deps.vault.key("throttles"), subject.encode("utf-8", "surrogatepass"), sha256).hexdigest()
    return f"{rule.name} {digest[:32]}"


def _in_words(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} second{'s' if seconds != 1 else ''}"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'s' if minutes != 1 else ''}"
