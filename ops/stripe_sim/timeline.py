"""What happens by itself as a clock moves: trials end, periods renew, drafts become final, payments are tried again."""

from collections.abc import Iterator

from ops.stripe_sim import checkout, invoices, subscriptions
from ops.stripe_sim.schedules import advance_schedule, start_schedule
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

# At the same moment: a schedule's phase changes before the period renews, so that the renewal has the new price.
_SCHEDULE, _NOTICE, _CANCEL, _TRIAL, _RENEW, _FINAL, _RETRY, _OTHER = range(8)
Due = tuple[int, int, str, str]
_STEPS_AT_MOST = 100_000


def advance(sim: Sim, to: int, clock: str | None = None) -> int:
    """Move the main clock, or a test clock, to a moment and do all that is due until then, in order. Commits.

    Returns how many steps were taken.
    """
    steps = 0
    try:
        while steps < _STEPS_AT_MOST:
            sim.begin()
            due = min(_due(sim, clock), default=None)
            if due is None or due[0] > to:
                break
            sim.at(max(due[0], _now(sim, clock)))
            _do(sim, due)
            sim.at(None)
            _set(sim, clock, max(due[0], _now(sim, clock)))
            sim.commit()
            steps += 1
    finally:
        sim.at(None)
        sim.rollback()
    if to > _now(sim, clock):
        _set(sim, clock, to)
        sim.commit()
    return steps


def next_due(sim: Sim) -> int | None:
    """When something happens by itself next, by the main clock."""
    due = min(_due(sim, None), default=None)
    sim.rollback()
    return due[0] if due else None


def _now(sim: Sim, clock: str | None) -> int:
    return sim.now(clock)


def _set(sim: Sim, clock: str | None, moment: int) -> None:
    if clock is None:
        sim.move_to(moment)
    else:
        sim.need("test_helpers.test_clock", clock)["frozen_time"] = moment


def _due(sim: Sim, clock: str | None) -> Iterator[Due]:
    for each in sim.store.all("subscription", test_clock=clock):
        if each["status"] not in subscriptions.ENDED:
            yield from _of_subscription(each)
    for each in sim.store.all("subscription_schedule", test_clock=clock):
        if each["status"] == "not_started":
            yield each["phases"][0]["start_date"], _SCHEDULE, "start", each["id"]
        elif each["status"] == "active":
            yield each["current_phase"]["end_date"], _SCHEDULE, "phase", each["id"]
    for each in sim.store.all("invoice", test_clock=clock):
        if each["status"] == "draft" and each["auto_advance"] and each["automatically_finalizes_at"]:
            yield each["automatically_finalizes_at"], _FINAL, "finalize", each["id"]
        elif each["status"] == "open" and each["next_payment_attempt"] and each["auto_advance"]:
            yield each["next_payment_attempt"], _RETRY, "retry", each["id"]
    if clock is None:
        for each in sim.store.all("checkout.session", status="open"):
            yield each["expires_at"], _OTHER, "expire_session", each["id"]


def _of_subscription(subscription: Thing) -> Iterator[Due]:
    identity, status = subscription["id"], subscription["status"]
    if status == "incomplete":
        yield subscription["created"] + subscriptions.INCOMPLETE_FOR, _OTHER, "expire", identity
        return
    end = subscriptions.period_of(subscription)[1]
    if subscription["cancel_at"]:
        yield subscription["cancel_at"], _CANCEL, "cancel", identity
    if status == "trialing":
        if not subscription["_told_trial"]:
            notice = max(subscription["trial_end"] - subscriptions.TRIAL_NOTICE, subscription["trial_start"])
            yield notice, _NOTICE, "notice", identity
        yield subscription["trial_end"], _TRIAL, "trial", identity
    elif status != "paused":
        yield end, _RENEW, "renew", identity
    if (paused := subscription["pause_collection"]) and paused["resumes_at"]:
        yield paused["resumes_at"], _OTHER, "unpause", identity


def _do(sim: Sim, due: Due) -> None:
    _, _, what, identity = due
    if what in ("finalize", "retry"):
        invoice = sim.need("invoice", identity)
        _finalize(sim, invoice) if what == "finalize" else invoices.pay(sim, invoice)
    elif what in ("start", "phase"):
        schedule = sim.need("subscription_schedule", identity)
        start_schedule(sim, schedule) if what == "start" else advance_schedule(sim, schedule)
    elif what == "expire_session":
        checkout.expire(sim, sim.need("checkout.session", identity))
    else:
        _subscription_step(sim, sim.need("subscription", identity), what)


def _subscription_step(sim: Sim, subscription: Thing, what: str) -> None:
    if what == "expire":
        subscriptions.expire(sim, subscription)
    elif what == "cancel":
        subscriptions.end_subscription(sim, subscription, reason=None, at_period_end=True)
    elif what == "notice":
        subscriptions.notice_trial(sim, subscription)
    elif what == "trial":
        subscriptions.end_trial(sim, subscription)
    elif what == "renew":
        subscriptions.renew(sim, subscription)
    elif what == "unpause":
        subscription["pause_collection"] = None
        sim.emit("customer.subscription.updated", subscription)


def _finalize(sim: Sim, invoice: Thing) -> None:
    invoices.finalize(sim, invoice)
    then = invoice.get("_then")
    if invoice["status"] != "open":
        return
    if then == "void":
        invoices.void(sim, invoice)
    elif then == "mark_uncollectible":
        invoices.write_off(sim, invoice)
    elif invoice["collection_method"] == "charge_automatically":
        invoices.pay(sim, invoice)
