"""Webhook endpoints, and the outbox that delivers to them: signed, retried, and disturbed on request."""

import asyncio
import hashlib
import hmac
import json
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from kernel.logging import get_logger
from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import flag, merged, metadata, require, text
from ops.stripe_sim.routing import CREATED, PAGE, listed, route
from ops.stripe_sim.sim import API_VERSION, Sim, outside
from ops.stripe_sim.store import Thing

_log = get_logger(__name__)
_LONGEST_WAIT: Final = 60.0
_TRIES: Final = 16
"""Stripe gives up after three days; with the waits here that is a quarter of an hour at least."""
_PATIENCE: Final = 20.0
_ENDPOINT: Final = {"url": text, "enabled_events": [text], "description": text, "metadata": metadata}


@route("POST", "/v1/webhook_endpoints", _ENDPOINT | {"api_version": text})
def create_endpoint(sim: Sim, p: Thing) -> Thing:
    require(p, "url", "enabled_events")
    if p.get("api_version", API_VERSION) != API_VERSION:
        raise invalid(f"The simulator speaks {API_VERSION} only.", param="api_version")
    endpoint = add_endpoint(sim, p["url"], sim.store.new_id("whsec", 32), p["enabled_events"])
    endpoint |= {"description": p.get("description"), "metadata": p.get("metadata") or {}}
    return endpoint | {"secret": endpoint["_secrets"][0]["secret"]}


def add_endpoint(sim: Sim, url: str, secret: str, events: list[str]) -> Thing:
    return sim.add(
        "webhook_endpoint",
        "we",
        api_version=API_VERSION,
        application=None,
        description=None,
        enabled_events=events,
        metadata={},
        status="enabled",
        url=url,
        _secrets=[{"secret": secret, "until": None}],
    )


@route("POST", "/v1/webhook_endpoints/{id}", _ENDPOINT | {"disabled": flag})
def update_endpoint(sim: Sim, p: Thing, identity: str) -> Thing:
    endpoint = sim.need("webhook_endpoint", identity)
    if "metadata" in p:
        p["metadata"] = merged(endpoint["metadata"], p["metadata"])
    if (disabled := p.pop("disabled", None)) is not None:
        endpoint["status"] = "disabled" if disabled else "enabled"
    endpoint |= p
    return endpoint


@route("GET", "/v1/webhook_endpoints/{id}")
def retrieve_endpoint(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("webhook_endpoint", identity)


@route("GET", "/v1/webhook_endpoints", PAGE)
def list_endpoints(sim: Sim, p: Thing) -> Thing:
    return listed(sim.store.all("webhook_endpoint"), p, "/v1/webhook_endpoints")


@route("DELETE", "/v1/webhook_endpoints/{id}")
def delete_endpoint(sim: Sim, p: Thing, identity: str) -> Thing:
    sim.store.remove(sim.need("webhook_endpoint", identity))
    return {"id": identity, "object": "webhook_endpoint", "deleted": True}


def roll_secret(sim: Sim, endpoint: Thing, secret: str, live_seconds: int) -> None:
    """A new secret; the old one signs beside it for this long, by real time."""
    until = sim.real() + live_seconds
    old = [each for each in endpoint["_secrets"] if each["until"] is None or each["until"] > sim.real()]
    endpoint["_secrets"] = [{"secret": secret, "until": None}, *({**each, "until": until} for each in old[:1])]


@route("GET", "/v1/events/{id}")
def retrieve_event(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("event", identity)


@route("GET", "/v1/events", PAGE | CREATED | {"type": text, "types": [text], "delivery_success": flag})
def list_events(sim: Sim, p: Thing) -> Thing:
    """The last 30 days' events, the newest first."""
    since = sim.now() - 30 * 86_400
    types = set(p.get("types") or ([p["type"]] if p.get("type") else []))

    def fits(event: Thing) -> bool:
        if event["created"] < since or ("delivery_success" in p and p["delivery_success"] != (not pending(event))):
            return False
        return not types or any(
            event["type"] == each or (each.endswith("*") and event["type"].startswith(each[:-1])) for each in types
        )

    def pending(event: Thing) -> bool:
        return bool(event["pending_webhooks"])

    return listed([each for each in sim.store.all("event") if fits(each)], p, "/v1/events")


def signature(body: bytes, secrets: list[str], moment: int) -> str:
    """The header `Stripe-Signature`: the time, and a `v1` for each live secret."""
    signed = f"{moment}.".encode() + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks)])


@dataclass(slots=True)
class Disturbance:
    """What the outbox does to the next deliveries. In memory, as faults are.

    `duplicate` of them go out twice; `hold` keeps all back until it is false again, and `order` ("reversed",
    "shuffled") is how they leave then, or whenever several wait; `delay` is in seconds of real time; `drop` are lost.
    """

    duplicate: int = 0
    hold: bool = False
    order: str = ""
    delay: float = 0.0
    drop: int = 0
    seed: int = 0
    random: Any = field(default=None)


class Outbox:
    """Sends what waits, one after the other. One event makes one body, whatever became of its object since."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.disturbance = Disturbance()
        self.log: list[dict[str, Any]] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None
        self._sending = False

    def start(self) -> None:
        self._client = httpx.AsyncClient(timeout=_PATIENCE, trust_env=False, follow_redirects=False)
        self._task = asyncio.create_task(self._run(), name="stripe-sim webhooks")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._client is not None:
            await self._client.aclose()

    def wake(self) -> None:
        self._wake.set()

    def waiting(self) -> int:
        """How many deliveries have not been made or given up."""
        return sum(1 for _ in self.sim.store.all("_delivery")) + self._sending

    async def settled(self, *, at_once: bool = True) -> None:
        """Wait until nothing waits. `at_once`: retries do not wait for their time."""
        while self.waiting():
            if at_once and not self.disturbance.hold:
                for delivery in self.sim.store.all("_delivery"):
                    delivery["due"] = 0.0
                self.sim.store.commit()
            self.wake()
            await asyncio.sleep(0.005)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            due = self._due()
            for delivery in due:
                await self._send(delivery)
            if not due:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._sleep())

    def _due(self) -> list[str]:
        if self.disturbance.hold:
            return []
        now = self.sim.real()
        due = [
            each["id"]
            for each in self.sim.store.all("_delivery")
            if each["due"] + (self.disturbance.delay if not each["attempts"] else 0.0) <= now
        ]
        self.sim.store.rollback()
        if self.disturbance.order == "reversed":
            due.reverse()
        elif self.disturbance.order == "shuffled":
            random.Random(self.disturbance.seed).shuffle(due)  # noqa: S311 - it disturbs, by a seed
        return due

    def _sleep(self) -> float:
        if self.disturbance.hold:
            return 60.0
        times = [each["due"] for each in self.sim.store.all("_delivery")]
        self.sim.store.rollback()
        if not times:
            return 60.0
        return float(max(0.005, min(times) + self.disturbance.delay - self.sim.real()))

    async def _send(self, identity: str) -> None:
        store = self.sim.store
        delivery = store.get("_delivery", identity)
        if delivery is None:
            return
        event, endpoint = store.get("event", delivery["event"]), store.get("webhook_endpoint", delivery["endpoint"])
        if event is None or endpoint is None or endpoint["status"] != "enabled":
            store.remove(delivery)
            store.commit()
            return
        body = json.dumps(outside(event), indent=2).encode()
        live = [each for each in endpoint["_secrets"] if each["until"] is None or each["until"] > self.sim.real()]
        clock = self.sim.settings["sign_with"] == "clock"
        moment = self.sim.now() if clock else int(self.sim.real())
        header = signature(body, [each["secret"] for each in live], moment)
        url = endpoint["url"]
        store.rollback()
        if self.disturbance.drop > 0:
            self.disturbance.drop -= 1
            self._done(identity, "dropped")
            return
        times = 1
        if self.disturbance.duplicate > 0:
            self.disturbance.duplicate -= 1
            times = 2
        status = ""
        self._sending = True
        for _ in range(times):
            status = await self._post(url, body, header)
            self.log.append({"event": event["id"], "type": event["type"], "url": url, "status": status})
        del self.log[:-1_000]
        self._sending = False
        if status.startswith("2"):
            self._done(identity, status)
        else:
            self._again(identity, status)

    async def _post(self, url: str, body: bytes, header: str) -> str:
        assert self._client is not None
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": header,
            "User-Agent": "Stripe/1.0 (natter stripe-sim)",
        }
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__
        return str(answer.status_code)

    def _done(self, identity: str, status: str) -> None:
        store = self.sim.store
        delivery = store.get("_delivery", identity)
        if delivery is not None:
            store.remove(delivery)
            event = store.get("event", delivery["event"])
            if event is not None:
                event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
        store.commit()

    def _again(self, identity: str, status: str) -> None:
        store = self.sim.store
        delivery = store.get("_delivery", identity)
        if delivery is None:
            return
        delivery["attempts"] += 1
        if delivery["attempts"] >= _TRIES:
            _log.warning("stripe_sim.webhook_given_up", told=delivery["event"], status=status)
            store.remove(delivery)
        else:
            wait = min(_LONGEST_WAIT, self.sim.settings["webhook_retry_seconds"] * 2 ** (delivery["attempts"] - 1))
            delivery["due"] = self.sim.real() + wait
        store.commit()
