"""Billing meters, their events, adjustments and summaries."""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Final

from ops.stripe_sim.calendar import DAY, HOUR
from ops.stripe_sim.errors import StripeError, invalid
from ops.stripe_sim.forms import anything, one_of, require, text, whole
from ops.stripe_sim.routing import PAGE, listed, route
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

OLDEST: Final = 35 * DAY
AHEAD: Final = 300
UNIQUE_FOR: Final = DAY
_ADDRESS: Final = "/v1/billing/meters"


@route(
    "POST",
    _ADDRESS,
    {
        "display_name": text,
        "event_name": text,
        "default_aggregation": {"formula": one_of("sum", "count", "last")},
        "customer_mapping": {"event_payload_key": text, "type": one_of("by_id")},
        "value_settings": {"event_payload_key": text},
        "event_time_window": one_of("day", "hour"),
    },
)
def create_meter(sim: Sim, p: Thing) -> Thing:
    require(p, "display_name", "event_name", "default_aggregation")
    if _active_meter(sim, p["event_name"]) is not None:
        raise invalid(f"An active meter already exists with event_name {p['event_name']}.", param="event_name")
    meter = sim.add(
        "billing.meter",
        "mtr_test",
        customer_mapping={
            "event_payload_key": (p.get("customer_mapping") or {}).get("event_payload_key", "stripe_customer_id"),
            "type": "by_id",
        },
        default_aggregation=p["default_aggregation"],
        display_name=p["display_name"],
        event_name=p["event_name"],
        event_time_window=p.get("event_time_window"),
        status="active",
        status_transitions={"deactivated_at": None},
        updated=sim.now(),
        value_settings={"event_payload_key": (p.get("value_settings") or {}).get("event_payload_key", "value")},
    )
    sim.emit("billing.meter.created", meter)
    return meter


@route("POST", _ADDRESS + "/{id}", {"display_name": text})
def update_meter(sim: Sim, p: Thing, identity: str) -> Thing:
    meter = sim.need("billing.meter", identity)
    meter |= p | {"updated": sim.now()}
    sim.emit("billing.meter.updated", meter)
    return meter


@route("GET", _ADDRESS + "/{id}")
def retrieve_meter(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("billing.meter", identity)


@route("GET", _ADDRESS, PAGE | {"status": one_of("active", "inactive")})
def list_meters(sim: Sim, p: Thing) -> Thing:
    equal = {"status": p["status"]} if "status" in p else {}
    return listed(sim.store.all("billing.meter", **equal), p, _ADDRESS)


@route("POST", _ADDRESS + "/{id}/deactivate")
def deactivate_meter(sim: Sim, p: Thing, identity: str) -> Thing:
    meter = sim.need("billing.meter", identity)
    meter |= {"status": "inactive", "status_transitions": {"deactivated_at": sim.now()}, "updated": sim.now()}
    sim.emit("billing.meter.deactivated", meter)
    return meter


@route("POST", _ADDRESS + "/{id}/reactivate")
def reactivate_meter(sim: Sim, p: Thing, identity: str) -> Thing:
    meter = sim.need("billing.meter", identity)
    if meter["status"] == "inactive" and _active_meter(sim, meter["event_name"]) is not None:
        raise invalid(f"An active meter already exists with event_name {meter['event_name']}.")
    meter |= {"status": "active", "status_transitions": {"deactivated_at": None}, "updated": sim.now()}
    sim.emit("billing.meter.reactivated", meter)
    return meter


def _active_meter(sim: Sim, event_name: str) -> Thing | None:
    return next(sim.store.all("billing.meter", event_name=event_name, status="active"), None)


# -- events ------------------------------------------------------------------------------------------------------------


@route(
    "POST",
    "/v1/billing/meter_events",
    {"event_name": text, "payload": anything, "identifier": text, "timestamp": whole},
)
def create_event(sim: Sim, p: Thing) -> Thing:
    """Validated at once. A refused event leaves nothing; its identifier can be used again."""
    require(p, "event_name", "payload")
    payload = p["payload"]
    if not isinstance(payload, dict) or not all(isinstance(value, str) for value in payload.values()):
        raise invalid("Invalid payload: must be an object of strings.", param="payload")
    meter = _active_meter(sim, p["event_name"])
    if meter is None:
        known = next(sim.store.all("billing.meter", event_name=p["event_name"]), None)
        raise _refused(
            f"No active meter found for event name {p['event_name']}.", "archived_meter" if known else "no_meter"
        )
    who = payload.get(meter["customer_mapping"]["event_payload_key"])
    if not who:
        raise _refused("The payload names no customer.", "meter_event_no_customer_defined")
    customer = sim.store.get("customer", who)
    if customer is None or customer.get("deleted"):
        raise _refused(f"No such customer: '{who}'", "meter_event_customer_not_found")
    value = payload.get(meter["value_settings"]["event_payload_key"])
    if value is None and meter["default_aggregation"]["formula"] != "count":
        raise _refused("The payload has no value.", "meter_event_value_not_found")
    now = sim.now_of(who)
    timestamp = now if p.get("timestamp") is None else p["timestamp"]
    if timestamp < now - OLDEST:
        raise _refused(
            "The event timestamp cannot be more than 35 days in past. Expected a timestamp greater than or equal to "
            f"{now - OLDEST}.",
            "timestamp_too_far_in_past",
        )
    if timestamp > now + AHEAD:
        raise _refused(
            "The event timestamp cannot be more than 5 minutes in future. Expected a timestamp less than or equal to "
            f"{now + AHEAD}.",
            "timestamp_in_future",
        )
    identifier = p.get("identifier") or sim.store.new_id("mev", 32)
    if len(identifier) > 100:
        raise invalid("Invalid identifier: must be at most 100 characters.", param="identifier")
    mark = f"{meter['event_name']}:{identifier}"
    before = sim.store.get("_identifier", mark)
    if before is not None and now - before["at"] <= UNIQUE_FOR:
        raise _refused(f"An event already exists with identifier {identifier}.", "")
    sim.store.add({"object": "_identifier", "id": mark, "at": now})
    event = {
        "object": "billing.meter_event",
        "created": now,
        "event_name": meter["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": timestamp,
    }
    sim.store.add(
        event
        | {
            "id": sim.store.new_id("mevt"),
            "_key": f"{meter['id']}:{who}",
            "_value": _value(value),
            "_canceled": False,
        }
    )
    return event


def _value(words: str | None) -> str:
    try:
        value = Decimal(words if words is not None else "1")
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or not re.fullmatch(r"-?\d{1,15}(\.\d{1,12})?", f"{value:f}"):
        raise _refused(f"The value is no number that a meter takes: {words}", "meter_event_invalid_value")
    return f"{value:f}"


def _refused(message: str, code: str) -> StripeError:
    error = invalid(message, code=code)
    error.headers["stripe-should-retry"] = "false"
    return error


@route(
    "POST",
    "/v1/billing/meter_event_adjustments",
    {"event_name": text, "type": one_of("cancel"), "cancel": {"identifier": text}},
)
def create_adjustment(sim: Sim, p: Thing) -> Thing:
    """Cancels an event that came within the last 24 hours."""
    require(p, "event_name", "type", "cancel")
    identifier = p["cancel"].get("identifier")
    found = [
        each
        for each in sim.store.all("billing.meter_event", event_name=p["event_name"], identifier=identifier)
        if not each["_canceled"]
    ]
    if not found:
        raise invalid(f"No meter event found with identifier {identifier}.", param="cancel[identifier]")
    event = found[-1]
    if sim.now_of(event["_key"].partition(":")[2]) - event["created"] > DAY:
        raise invalid("Only events of the last 24 hours can be canceled.", param="cancel[identifier]")
    event["_canceled"] = True
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": p["event_name"],
        "livemode": False,
        "status": "complete",
        "type": "cancel",
    }


# -- usage -------------------------------------------------------------------------------------------------------------


def events_within(sim: Sim, meter: Thing, customer: str, start: int, end: int) -> list[Thing]:
    """What counts from `start` up to, not with, `end`."""
    return [
        each
        for each in sim.store.all("billing.meter_event", _key=f"{meter['id']}:{customer}")
        if start <= each["timestamp"] < end and not each["_canceled"]
    ]


def aggregate(meter: Thing, events: Iterable[Thing]) -> Decimal:
    """The events as the meter's formula counts them. With a time window, the last one of each hour or day counts."""
    found = list(events)
    if window := meter["event_time_window"]:
        length = HOUR if window == "hour" else DAY
        found = list({each["timestamp"] // length: each for each in found}.values())
    if meter["default_aggregation"]["formula"] == "count":
        return Decimal(len(found))
    if meter["default_aggregation"]["formula"] == "last":
        return Decimal(max(enumerate(found), key=lambda at: (at[1]["timestamp"], at[0]))[1]["_value"] if found else 0)
    return sum((Decimal(each["_value"]) for each in found), Decimal(0))


def usage(sim: Sim, meter_id: str, customer: str, start: int, end: int) -> int:
    """The billed quantity: whole units, never negative."""
    meter = sim.need("billing.meter", meter_id)
    return max(0, int(aggregate(meter, events_within(sim, meter, customer, start, end))))


@route(
    "GET",
    _ADDRESS + "/{id}/event_summaries",
    PAGE | {"customer": text, "start_time": whole, "end_time": whole, "value_grouping_window": one_of("hour", "day")},
)
def list_summaries(sim: Sim, p: Thing, identity: str) -> Thing:
    """One summary of the whole window, or one for each hour or day that had events; the newest first."""
    require(p, "customer", "start_time", "end_time")
    meter = sim.need("billing.meter", identity)
    start, end = p["start_time"], p["end_time"]
    window = p.get("value_grouping_window")
    step = {"hour": HOUR, "day": DAY}.get(window or "", 60)
    if start % step or end % step:
        raise invalid(f"start_time and end_time must align with {window or 'minute'} boundaries.", param="start_time")
    if end <= start:
        raise invalid("end_time must be after start_time.", param="end_time")
    events = events_within(sim, meter, p["customer"], start, end)
    places = sorted({each["timestamp"] // step * step for each in events}) if window else [start]
    data = []
    for place in places:
        until = place + step if window else end
        within = [each for each in events if place <= each["timestamp"] < until]
        data.append(
            {
                "id": f"mtrusg_test_{identity[9:]}{p['customer'][4:]}{place}{until}",
                "object": "billing.meter_event_summary",
                "aggregated_value": float(aggregate(meter, within)),
                "end_time": until,
                "livemode": False,
                "meter": identity,
                "start_time": place,
            }
        )
    return listed(data, p, f"{_ADDRESS}/{identity}/event_summaries")
