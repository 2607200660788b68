"""Test clocks: customers that live by a clock of their own."""

from ops.stripe_sim import timeline
from ops.stripe_sim.calendar import DAY, boundary
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import require, text, whole
from ops.stripe_sim.routing import PAGE, listed, route
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing
from ops.stripe_sim.subscriptions import items_of

_ADDRESS = "/v1/test_helpers/test_clocks"


@route("POST", _ADDRESS, {"frozen_time": whole, "name": text})
def create(sim: Sim, p: Thing) -> Thing:
    require(p, "frozen_time")
    clock = sim.add(
        "test_helpers.test_clock",
        "clock",
        deletes_after=sim.now() + 30 * DAY,
        frozen_time=p["frozen_time"],
        name=p.get("name"),
        status="ready",
        status_details={},
    )
    sim.emit("test_helpers.test_clock.created", clock)
    return clock


@route("POST", _ADDRESS + "/{id}/advance", {"frozen_time": whole})
def advance(sim: Sim, p: Thing, identity: str) -> Thing:
    """At most two intervals of the shortest subscription at once, as at Stripe; done when it answers."""
    require(p, "frozen_time")
    clock = sim.need("test_helpers.test_clock", identity)
    now, to = clock["frozen_time"], p["frozen_time"]
    if to < now:
        raise invalid("A test clock cannot go back.", param="frozen_time")
    for subscription in sim.store.all("subscription", test_clock=identity):
        recurring = items_of(subscription)[0]["price"]["recurring"]
        if to > boundary(now, recurring["interval"], recurring["interval_count"], 2):
            raise invalid("A test clock advances at most two intervals at once.", param="frozen_time")
    request = dict(sim.request)
    timeline.advance(sim, to, identity)
    sim.begin(request["id"], request["idempotency_key"])
    clock = sim.need("test_helpers.test_clock", identity)
    sim.emit("test_helpers.test_clock.ready", clock)
    return clock


@route("GET", _ADDRESS + "/{id}")
def retrieve(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("test_helpers.test_clock", identity)


@route("GET", _ADDRESS, PAGE)
def list_clocks(sim: Sim, p: Thing) -> Thing:
    return listed(sim.store.all("test_helpers.test_clock"), p, _ADDRESS)


@route("DELETE", _ADDRESS + "/{id}")
def delete(sim: Sim, p: Thing, identity: str) -> Thing:
    """The clock goes, and everything of its customers with it."""
    clock = sim.need("test_helpers.test_clock", identity)
    for kind in ("invoice", "invoiceitem", "subscription", "subscription_schedule", "customer"):
        for thing in list(sim.store.all(kind, test_clock=identity)):
            sim.store.remove(thing)
    sim.store.remove(clock)
    return {"id": identity, "object": "test_helpers.test_clock", "deleted": True}
