"""Deliver letters: take one that is due, hand it to the mailer, note what became of it.

A letter is leased before it is sent and noted after the server's 250. A process that is killed in between leaves the
lease to run out, and another one sends the letter again under the same Message-ID: at least once, never lost.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from control_plane.mail.models import Mail
from control_plane.mail.outbox import open_letter
from control_plane.mail.port import KeptHere, Mailer, Undelivered
from kernel.clock import Clock
from kernel.db import Database
from kernel.logging import get_logger
from kernel.security.vault import Vault
from kernel.settings import Settings

LEASE: Final = timedelta(minutes=3)
"""How long a letter that was taken is left to who took it; longer than a delivery may last."""
DELIVERY_SECONDS: Final = 90.0
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""The links in letters are good for no longer."""
_LONGEST_WAIT: Final = timedelta(hours=1)
_IDLE_SECONDS: Final = 1.0

_log = get_logger(__name__)

_TAKE: Final = text(
    "update control.mails set due_at = :lease, attempts = attempts + 1 where id in (select id from control.mails "
    "where state = 'waiting' and due_at <= :now order by due_at limit 1 for update skip locked) returning *"
)
_NOTE: Final = text(
    "update control.mails set state = :state, due_at = :due, delivered_at = :delivered, reply_code = :code, "
    "reply = :reply where id = :id and state = 'waiting'"
)


def mailer_of(settings: Settings) -> Mailer:
    """SMTP where a server is configured, else the outbox page alone. Raises `SettingsError`."""
    if not settings.smtp_url:
        return KeptHere()
    from control_plane.mail.smtp import SmtpMailer, SmtpServer, parse_sender  # slow to import, and seldom needed

    settings.require("mail_from")
    return SmtpMailer(SmtpServer.parse(settings.smtp_url), parse_sender(settings.mail_from))


def wait_before(attempts: int) -> timedelta:
    """How long to wait after so many tries: 10 s, twice as long each time, at most an hour."""
    return min(timedelta(seconds=10 * 2 ** min(attempts - 1, 20)), _LONGEST_WAIT)


class Courier:
    """Delivers the letters of an installation. Any number of processes may."""

    def __init__(self, database: Database, vault: Vault, clock: Clock, mailer: Mailer) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._mailer = mailer

    async def run(self) -> None:
        """Deliver whatever is due, until cancelled."""
        while True:
            try:
                busy = await self.deliver_next()
            except Exception:
                _log.exception("mail.courier_failed")
                busy = False
            if not busy:
                await asyncio.sleep(_IDLE_SECONDS)

    async def deliver_next(self) -> bool:
        """Try the letter that is due longest; false when none is."""
        row = await self._take()
        if row is None:
            return False
        due = row.created_at
        try:
            stored = open_letter(self._vault, row)
            async with asyncio.timeout(DELIVERY_SECONDS):
                outcome = await self._mailer.deliver(stored)
        except Undelivered as error:
            await self._failed(row, error)
        except TimeoutError:
            await self._failed(row, Undelivered("The mail server took too long."))
        except Exception as error:
            # What is wrong here is ours and not the server's; the letter waits for a release that knows better.
            _log.exception("mail.failed", mail=str(row.id), kind=row.kind)
            await self._failed(row, Undelivered(f"Something went wrong on our side ({type(error).__name__})."))
        else:
            await self._note(row.id, outcome, due=due, delivered=self._clock.now())
            _log.info("mail.delivered", mail=str(row.id), kind=row.kind, outcome=outcome, attempts=row.attempts)
        return True

    async def _take(self) -> Any:
        now = self._clock.now()
        async with self._database.unit_of_work() as uow:
            return (await uow.session.execute(_TAKE, {"now": now, "lease": now + LEASE})).one_or_none()

    async def _failed(self, row: Mail, error: Undelivered) -> None:
        now = self._clock.now()
        due = now + wait_before(row.attempts)
        over = error.permanent or due >= (row.retried_at or row.created_at) + GIVE_UP_AFTER
        reply = error.reason if error.permanent or not over else f"{error.reason} Tried for a day, and given up."
        await self._note(row.id, "failed" if over else "waiting", due=due, code=error.code, reply=reply)
        _log.warning("mail.undelivered", mail=str(row.id), kind=row.kind, code=error.code, final=over)

    async def _note(
        self,
        mail_id: UUID,
        state: str,
        *,
        due: datetime,
        delivered: datetime | None = None,
        code: int | None = None,
        reply: str | None = None,
    ) -> None:
        values = {"id": mail_id, "state": state, "due": due, "delivered": delivered, "code": code, "reply": reply}
        async with self._database.unit_of_work() as uow:
            await uow.session.execute(_NOTE, values)
