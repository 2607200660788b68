"""Let the plan follow what somebody else holds the truth of: the subscription at a payment service.

Level-based: it is told what is the case and states the difference to what is known, so that telling it again, or
telling it late, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing.plans import load_catalog
from billing.terms import facts as ledger
from billing.terms.facts import ENDED, Agreement, Fact, newest
from billing.terms.service import settle
from control_plane import audit, configuration
from control_plane.apps import repository
from control_plane.context import Context
from kernel.clock import rfc3339
from kernel.errors import NotFound
from kernel.ids import format_id


@dataclass(frozen=True, slots=True)
class Next:
    """A plan that takes effect later."""

    plan: str
    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Course:
    """The plan that is paid for since `since`, and what comes after it. `replaces`: only where the app is on that
    plan and version; for endings, which must not touch what somebody else has agreed meanwhile."""

    plan: str
    version: int
    since: datetime
    then: Next | None = None
    replaces: tuple[str, int] | None = None


async def deviates(session: AsyncSession, app_id: UUID, course: Course, *, now: datetime) -> bool:
    """Whether `follow` would change something. Reads only, so that nobody waits for nothing."""
    return _difference(await ledger.load(session, app_id), course, now) != (False, False, False)


async def follow(ctx: Context, app_id: UUID, course: Course, *, because: str) -> bool:
    """Have the app's plan be the course's; returns whether anything was stated. A deleted app has none."""
    await configuration.advance(ctx.session)
    try:
        app = await repository.get(ctx.session, app_id)
    except NotFound:
        return False
    agreement = Agreement(ctx, app.organization_id, app.id)
    known = await ledger.load(ctx.session, app.id)
    change, later, trial = _difference(known, course, ctx.now)
    if not (change or later or trial):
        return False
    held = newest(known, ctx.now)
    if later or change:
        await agreement.take_back("plan")
    if trial:
        await agreement.take_back("trial")
        await agreement.state("trial", None)
    if change:
        base = held.get(("plan", ""))
        # Facts follow each other in time; what was agreed after it began is not overtaken by it.
        since = max(course.since, base.began_at) if base is not None else course.since
        value = {"plan": course.plan, "version": course.version}
        await agreement.state("plan", value, began_at=min(since, ctx.now))
    if course.then is not None and (later or change):
        value = {"plan": course.then.plan, "version": course.then.version}
        await agreement.state("plan", value, began_at=course.then.at)
    await settle(ctx.session, app.id, now=ctx.now)
    base = held.get(("plan", ""))
    await audit.record(
        ctx,
        "app.plan_followed",
        format_id("app", app.id),
        organization_id=app.organization_id,
        app_id=app.id,
        before=f"{base.value['plan']}@{base.value['version']}" if base is not None else None,
        after=f"{course.plan}@{course.version}",
        then=f"{course.then.plan}@{course.then.version} {rfc3339(course.then.at)}" if course.then else None,
        because=because,
    )
    return True


def _difference(facts: Sequence[Fact], course: Course, now: datetime) -> tuple[bool, bool, bool]:
    """Whether the plan now, the plan later, and a trial are other than the course says."""
    held = newest(facts, now)
    base = held.get(("plan", ""))
    current = (base.value["plan"], base.value["version"]) if base is not None else None
    if ("plan", ENDED) in held or (course.replaces is not None and current != course.replaces):
        return False, False, False
    waiting = [
        (fact.value["plan"], fact.value["version"], fact.began_at)
        for fact in facts
        if fact.kind == "plan" and fact.subject == "" and fact.began_at > now
    ]
    then = course.then
    wanted = [(then.plan, then.version, then.at)] if then is not None and then.at > now else []
    # A trial of the plan that is paid for now, or of a lesser one, is over.
    trial = held.get(("trial", ""))
    catalog = load_catalog()
    over = trial is not None and catalog.rank(course.plan) >= catalog.rank(trial.value["plan"])
    return current != (course.plan, course.version), waiting != wanted, over
