"""The API's edge: keys, versions, idempotency, faults, and one transaction a request."""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson

from kernel.logging import get_logger
from ops.stripe_sim import forms
from ops.stripe_sim.errors import StripeError, Unfit, invalid
from ops.stripe_sim.faults import Fault, Faults
from ops.stripe_sim.routing import match, rendered
from ops.stripe_sim.sim import API_VERSION, Sim
from ops.stripe_sim.webhooks import Outbox

_log = get_logger(__name__)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_LARGEST: Final = 1_000_000
_KEY_LIFE: Final = 24 * 3_600


class Answer:
    """A status, headers and a body; `cut` closes the connection instead."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = {"content-type": "application/json"} | (headers or {})


class Cut(Exception):
    """The connection is closed without an answer."""


class Api:
    """`/v1`. `key` is the secret key that callers must have."""

    def __init__(self, sim: Sim, outbox: Outbox, faults: Faults, key: str) -> None:
        self._sim = sim
        self._outbox = outbox
        self._faults = faults
        self._key = key
        self._in_use: set[str] = set()
        self.calls = 0

    async def answer(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes, gone: Callable[[], Any]
    ) -> Answer:
        """What a request gets. Raises `Cut`. `gone` waits until the client has left."""
        self.calls += 1
        fault = self._faults.meets(method, path)
        if fault and fault.kind in ("cut", "outage"):
            raise Cut
        request_id = f"req_{hashlib.sha256(f'{self._sim.real()}{self.calls}'.encode()).hexdigest()[:14]}"
        out = {"request-id": request_id, "stripe-version": API_VERSION}
        key = headers.get("idempotency-key", "") if method == "POST" else ""
        if key:
            out["idempotency-key"] = key
        try:
            self.check(headers)
            if fault and fault.kind == "rate_limit":
                raise StripeError(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit")
            if key and key in self._in_use:
                raise StripeError(
                    409,
                    "idempotency_error",
                    "There is currently another in-progress request using this Idempotent Key (that probably means you "
                    f"submitted twice, and the other request is still going through): {key}.",
                    code="idempotency_key_in_use",
                )
            self._in_use.add(key)
            try:
                if fault and fault.kind == "slow":
                    await asyncio.sleep(fault.seconds)
                answer = self._once(method, path, query, body, key, request_id, fault)
            finally:
                self._in_use.discard(key)
        except StripeError as error:
            answer = _told(error, request_id)
        answer.headers |= out
        if fault and fault.kind == "cut_after":
            raise Cut
        if fault and fault.kind == "timeout":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gone(), fault.seconds or None)
            raise Cut
        return answer

    def check(self, headers: dict[str, str]) -> None:
        """Raises Stripe's refusal of a key or a version that is not right."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        if not given:
            raise Unfit(401, "invalid_request_error", "You did not provide an API key.")
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise Unfit(401, "invalid_request_error", f"Invalid API Key provided: {given[:8]}***{given[-4:]}")
        version = headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise invalid(f"Invalid Stripe API version: {version}. The simulator speaks {API_VERSION} only.")

    def _once(
        self, method: str, path: str, query: str, body: bytes, key: str, request_id: str, fault: Fault | None
    ) -> Answer:
        """Do it, or give the answer that this idempotency key had before."""
        sim = self._sim
        sent = body.decode("utf-8", "replace") if method == "POST" else query
        mark = hashlib.sha256(f"{method} {path}\n{sent}".encode()).hexdigest()
        sim.begin(request_id, key or None)
        if key and (before := sim.store.get("_idempotency", key)) and before["at"] + _KEY_LIFE > sim.real():
            sim.rollback()
            if before["mark"] != mark:
                raise StripeError(
                    400,
                    "idempotency_error",
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                    f"Try using a key other than '{key}' if you meant to execute a different request.",
                )
            return Answer(before["status"], before["body"].encode(), {"idempotent-replayed": "true"})
        try:
            if fault and fault.kind == "error":
                error = StripeError(fault.status, "api_error", "An unknown error occurred.")
                raise error if fault.saved else Unfit(fault.status, "api_error", error.args[0])
            found, parts = match(method, path)
            parameters = forms.read(forms.decode(sent), found.spec)
            expand = parameters.pop("expand", None) or []
            thing = found.handler(sim, parameters, *parts)
            answer = Answer(200, orjson.dumps(rendered(sim, thing, expand)))
        except Unfit:
            sim.rollback()
            raise
        except StripeError as refused:
            if refused.keep:
                sim.commit()
            sim.rollback()
            sim.begin(request_id, key or None)
            answer = _told(refused, request_id)
        except Exception:
            sim.rollback()
            raise
        if method == "GET":
            sim.rollback()
            return answer
        if key:
            sim.store.add(
                {
                    "object": "_idempotency",
                    "id": key,
                    "mark": mark,
                    "status": answer.status,
                    "body": answer.body.decode(),
                    "at": sim.real(),
                }
            )
        sim.commit()
        self._outbox.wake()
        return answer


def _told(error: StripeError, request_id: str) -> Answer:
    error.error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
    return Answer(error.status, orjson.dumps(error.body()), dict(error.headers))
