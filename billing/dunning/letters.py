"""What a step's outbox row leads to: a letter to everybody who looks after billing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.alerts.letters import recipients, system_context
from billing.dunning.service import TOPIC
from control_plane import mail
from control_plane.context import Deps
from kernel.db import UnitOfWork
from kernel.ids import parse_id
from kernel.outbox import Handler


class DunningJobs:
    """The handlers. A letter and the row's deletion are one transaction: it goes out once."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def handlers(self) -> Mapping[str, Handler]:
        """By topic, for the control plane's outbox runner."""
        return {TOPIC: self.tell}

    async def tell(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Write to those who look after billing."""
        ctx, moves_at = system_context(self._deps, uow), payload["moves_at"]
        organization: UUID = parse_id("org", payload["organization_id"])
        for to in await recipients(uow.session, organization):
            letter = mail.dunning_notice(
                self._deps.settings,
                to=to,
                state=payload["state"],
                app=payload["app"],
                app_id=payload["app_id"],
                organization_id=payload["organization_id"],
                at=datetime.fromisoformat(payload["at"]),
                moves_at=datetime.fromisoformat(moves_at) if moves_at else None,
            )
            mail.post(ctx, letter)
