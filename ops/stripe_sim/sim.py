"""The simulator's core: its store, its clocks, its events, and how things look from outside."""

import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from ops.stripe_sim.errors import missing
from ops.stripe_sim.store import Store, Thing

API_VERSION: Final = "2026-10-28.endive"
DEFAULTS: Final[Thing] = {
    "invoice_grace": 3_600,
    "retry_days": [1, 2, 4, 6, 8, 10, 12, 14],
    "after_retries": "unpaid",
    "smallest_charge": 50,
    "decline": {},
    "webhook_retry_seconds": 1.0,
    "sign_with": "wall",
}
"""Settings that the control routes change. `retry_days` are days after the first failure: 8 tries in 2 weeks.
`decline` names a decline code by customer id, or by `*` for all."""


class Sim:
    """`real` is the time of day in seconds. The clock goes with it, shifted, or stands still where it was frozen."""

    def __init__(self, store: Store, *, real: Callable[[], float] = time.time, frozen_at: int | None = None) -> None:
        self.store = store
        self.real = real
        self.base_url = "http://127.0.0.1"
        self.request: Thing = {"id": None, "idempotency_key": None}
        self._said: dict[tuple[str, str], Thing] = {}
        """How things were in the last event about them, within the transaction."""
        self._clock: int | None = None
        """The clock while one of its steps runs."""
        if store.get("_sim", "sim") is None:
            store.add({"object": "_sim", "id": "sim", "shift": 0, "frozen": frozen_at, **DEFAULTS})
            store.commit()

    @property
    def settings(self) -> Thing:
        """What the control routes set; changes are kept by the commit."""
        thing = self.store.get("_sim", "sim")
        assert thing is not None
        return thing

    # -- time --------------------------------------------------------------------------------------------------------

    def now(self, test_clock: str | None = None) -> int:
        """Seconds since 1970 by the main clock, or by a test clock."""
        if self._clock is not None:
            return self._clock
        if test_clock is not None:
            return int(self.need("test_helpers.test_clock", test_clock)["frozen_time"])
        settings = self.settings
        return int(settings["frozen"] if settings["frozen"] is not None else self.real() + settings["shift"])

    def now_of(self, customer: str | None) -> int:
        """The time that a customer lives in."""
        owner = self.store.get("customer", customer) if customer else None
        return self.now(owner["test_clock"] if owner else None)

    def at(self, moment: int | None) -> None:
        """Let the clock stand at this moment, for the steps of one that is being moved; `None` lets it go."""
        self._clock = moment

    def move_to(self, moment: int) -> None:
        """Set the main clock."""
        settings = self.settings
        if settings["frozen"] is not None:
            settings["frozen"] = moment
        else:
            settings["shift"] = moment - int(self.real())

    # -- things ------------------------------------------------------------------------------------------------------

    def need(self, kind: str, identity: str, param: str = "id") -> Thing:
        """The thing, or Stripe's 404."""
        thing = self.store.get(kind, identity)
        if thing is None:
            raise missing(kind, identity, param)
        return thing

    def add(self, kind: str, prefix: str, *, created: int | None = None, **fields: Any) -> Thing:
        """Keep a new thing. `id` may be among the fields."""
        thing = {"id": fields.pop("id", None) or self.store.new_id(prefix), "object": kind}
        if "date" not in fields:  # what invoice items have instead
            thing["created"] = self.now() if created is None else created
        return self.store.add(thing | {"livemode": False} | fields)

    # -- events ------------------------------------------------------------------------------------------------------

    def emit(self, kind: str, thing: Thing) -> None:
        """Tell of a change: an event that holds the thing as it is now, and a delivery for each endpoint that wants it.

        An event whose name ends in `updated` names what it was before; one without a difference is left out.
        """
        data: Thing = {"object": outside(thing)}
        if kind.endswith(".updated"):
            before = self._said.get((thing["object"], thing["id"])) or self.store.committed(thing) or {}
            before = outside(before)
            data["previous_attributes"] = {
                key: before.get(key) for key, value in data["object"].items() if before.get(key) != value
            }
            if not data["previous_attributes"]:
                return
        self._said[thing["object"], thing["id"]] = orjson.loads(orjson.dumps(thing))
        customer = thing["id"] if thing["object"] == "customer" else thing.get("customer")
        event = self.add(
            "event",
            "evt",
            created=self.now_of(customer) if isinstance(customer, str) else None,
            api_version=API_VERSION,
            data=data,
            pending_webhooks=0,
            request=dict(self.request),
            type=kind,
        )
        wanting = [
            endpoint
            for endpoint in self.store.all("webhook_endpoint")
            if endpoint["status"] == "enabled" and {"*", kind} & set(endpoint["enabled_events"])
        ]
        event["pending_webhooks"] = len(wanting)
        for endpoint in wanting:
            self.store.add(
                {
                    "object": "_delivery",
                    "id": self.store.new_id("dlv"),
                    "event": event["id"],
                    "endpoint": endpoint["id"],
                    "attempts": 0,
                    "due": self.real(),
                }
            )

    def begin(self, request_id: str | None = None, key: str | None = None) -> None:
        """Start a transaction; events tell which request caused them."""
        self._said = {}
        self.request = {"id": request_id, "idempotency_key": key}

    def commit(self) -> None:
        self.store.commit()
        self._said = {}

    def rollback(self) -> None:
        self.store.rollback()
        self._said = {}


def outside(value: Any) -> Any:
    """A thing as callers see it: a copy, without the simulator's own keys."""
    if isinstance(value, dict):
        return {
            key: each if key == "metadata" else outside(each) for key, each in value.items() if not key.startswith("_")
        }
    if isinstance(value, list):
        return [outside(each) for each in value]
    return value
