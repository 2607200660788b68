"""The simulator's own routes, `/_sim/…`: JSON in and out, with the API's secret key. docs/stripe-sim.md lists them."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import orjson

from ops.stripe_sim.errors import StripeError, invalid
from ops.stripe_sim.faults import KINDS, Fault
from ops.stripe_sim.sim import DEFAULTS

if TYPE_CHECKING:
    from ops.stripe_sim.server import Simulator

Body = dict[str, Any]
Control = Callable[["Simulator", Body, list[str]], Awaitable[Any]]
CONTROLS: Final[dict[tuple[str, str], Control]] = {}


def control(method: str, path: str) -> Callable[[Control], Control]:
    """Register `/_sim/<path>`; what follows the path is given in parts."""

    def register(handler: Control) -> Control:
        CONTROLS[method, path] = handler
        return handler

    return register


async def answer(simulator: "Simulator", method: str, path: str, body: bytes) -> Any:
    """What a control route answers. Raises `StripeError`."""
    first, *rest = path.removeprefix("/_sim").strip("/").split("/")
    handler = CONTROLS.get((method, first))
    if handler is None:
        raise StripeError(404, "invalid_request_error", f"No such control route: {method} {path}")
    try:
        given = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise invalid("The body is not JSON.") from None
    if not isinstance(given, dict):
        raise invalid("The body is not a JSON object.")
    return await handler(simulator, given, rest)


@control("GET", "")
async def state(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    sim = simulator.sim
    return {
        "now": sim.now(),
        "settings": {name: sim.settings[name] for name in DEFAULTS},
        "webhooks_waiting": simulator.outbox.waiting(),
        "faults": simulator.faults.describe(),
        "calls": simulator.api.calls,
    }


@control("POST", "clock")
async def clock(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    """`{"advance": seconds}` or `{"to": seconds since 1970}`."""
    now = simulator.sim.now()
    to = body["to"] if "to" in body else now + body.get("advance", 0)
    if not isinstance(to, int) or to < now:
        raise invalid("The clock goes forward only, by whole seconds.", param="to")
    steps = simulator.advance_to(to)
    return {"now": simulator.sim.now(), "steps": steps}


@control("POST", "settings")
async def settings(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    """Any of the settings that `GET /_sim` shows."""
    for name in body:
        if name not in DEFAULTS:
            raise invalid(f"No such setting: {name}. There are {', '.join(DEFAULTS)}.", param=name)
    sim = simulator.sim
    sim.begin()
    sim.settings.update(body)
    sim.commit()
    return {name: sim.settings[name] for name in DEFAULTS}


@control("POST", "cards")
async def cards(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    """`{"decline": code or null, "customer": id}`: every card of the customer, or of all, is refused from now on."""
    simulator.decline(body.get("decline"), body.get("customer", "*"))
    return {"decline": simulator.sim.settings["decline"]}


@control("POST", "faults")
async def add_fault(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    if body.get("kind") not in KINDS:
        raise invalid(f"No such fault. There are {', '.join(KINDS)}.", param="kind")
    known = {each.name for each in dataclasses.fields(Fault)} - {"until"}
    for name in body:
        if name not in known:
            raise invalid(f"No such part of a fault: {name}.", param=name)
    simulator.faults.add(Fault(**body))
    return {"faults": simulator.faults.describe()}


@control("DELETE", "faults")
async def clear_faults(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    simulator.faults.clear()
    return {"faults": []}


@control("GET", "webhooks")
async def webhook_log(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    return {"waiting": simulator.outbox.waiting(), "log": simulator.outbox.log}


@control("POST", "webhooks")
async def webhooks(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    """`settle` waits until all is delivered; `resend` sends an event again; else disturbances are set."""
    outbox = simulator.outbox
    if rest == ["settle"]:
        await simulator.settled(body.get("seconds", 30))
    elif rest == ["resend"]:
        simulator.resend(body.get("event", ""))
    elif rest:
        raise StripeError(404, "invalid_request_error", "No such control route.")
    else:
        for name, value in body.items():
            if not hasattr(outbox.disturbance, name):
                raise invalid(f"No such disturbance: {name}.", param=name)
            setattr(outbox.disturbance, name, value)
        outbox.wake()
    return {"waiting": outbox.waiting(), "disturbance": dataclasses.asdict(outbox.disturbance)}


@control("POST", "webhook_endpoints")
async def roll(simulator: "Simulator", body: Body, rest: list[str]) -> Body:
    """`<id>/roll`, `{"live_seconds": 86400, "secret": …}`: a new secret; the old one signs beside it for a while."""
    if len(rest) != 2 or rest[1] != "roll":
        raise StripeError(404, "invalid_request_error", "No such control route.")
    return {"secret": simulator.roll_secret(rest[0], body.get("live_seconds", 86_400), body.get("secret"))}


@control("POST", "checkout")
async def complete_checkout(simulator: "Simulator", body: Body, rest: list[str]) -> Any:
    """`<session>/complete`, `{"number": "4242…"}`: what a customer does on the Checkout page."""
    if len(rest) != 2 or rest[1] != "complete":
        raise StripeError(404, "invalid_request_error", "No such control route.")
    return simulator.complete_checkout(rest[0], **body)
