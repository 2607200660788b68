"""A call from its first request to its result, without doing any input or output.

`converse` yields what is to be done next, a request or a wait, and is sent what came of it. The two clients each have a
driver of a few lines; what a call is, and when it is made again, is said here once.
"""

import json
import random
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias, TypeVar

import httpx

from ._answers import failure_of, result_of
from ._given import NOT_GIVEN
from ._ids import new_id
from ._model import to_json
from ._operation import Call, Operation
from ._retry import Retry, may_be_done
from .errors import APIError, NatterError
from .resources.apps import LOCATE

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """Make this request."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None
    timeout: httpx.Timeout


@dataclass(frozen=True)
class Wait:
    """Let this many seconds pass."""

    seconds: float


Conversation: TypeAlias = Generator[Send | Wait, httpx.Response | httpx.RequestError | None, T]

DEFAULT_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)


@dataclass
class Address:
    """Where an app is served: one object for a client and all its views, so that what one finds the others have."""

    url: str
    locator: tuple[str, str] | None = None
    """The publishable key and the portal that brought it; `None` where the address was given."""
    doubted: bool = False
    """A connection to it has failed, so the portal is asked before the next one: apps can move."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Who calls, where, and how patiently."""

    address: Address
    credential: str | None = field(repr=False)
    user_agent: str
    acting: str | None = None
    """The user in whose name a server acts."""
    timeout: httpx.Timeout
    retry: Retry = field(default_factory=Retry)
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random

    def with_(self, **changes: Any) -> "Options":
        """The same but for these."""
        return replace(self, **changes)


def converse(call: Call[T], options: Options) -> Conversation[T]:
    """Make a call until it succeeds, is refused for good, or patience ends."""
    operation, began, attempt = call.operation, options.monotonic(), 0
    uncertain = False
    send = _first(call, options)
    address = options.address if call.base is None else Address(call.base)
    while True:
        attempt += 1
        if address.doubted:
            yield from _locate(address, options)
            send = replace(send, url=_url(call, options))
        outcome = yield send
        failure: NatterError
        if isinstance(outcome, httpx.Response):
            address.doubted = False
            try:
                return result_of(operation, outcome, send.headers["x-request-id"])
            except APIError as refusal:
                if uncertain and operation.removes and refusal.status == 404:
                    return operation.answer(None)
                failure = refusal
        else:
            assert outcome is not None
            failure = failure_of(outcome, send.headers["x-request-id"], f"{send.method} {send.url}")
            address.doubted = address.locator is not None
        uncertain = uncertain or may_be_done(failure)
        seconds = options.retry.wait(
            failure,
            attempt=attempt,
            elapsed=options.monotonic() - began,
            repeatable=operation.repeatable,
            random=options.random,
        )
        if seconds is None:
            raise failure
        yield Wait(seconds)


def _locate(address: Address, options: Options) -> Conversation[None]:
    """Ask the portal where the app is served now. Where it does not say, the address stays as it is, and in doubt."""
    assert address.locator is not None
    key, portal = address.locator
    send = _first(Call(operation=LOCATE, query={"key": key}, base=portal), options)
    outcome = yield send
    if isinstance(outcome, httpx.Response):
        with suppress(NatterError):
            address.url = result_of(LOCATE, outcome, send.headers["x-request-id"]).url.rstrip("/")


def _first(call: Call[Any], options: Options) -> Send:
    """The request, the same at each attempt: same id, same key, same bytes."""
    operation = call.operation
    body = call.body
    headers = {"accept": "application/json", "user-agent": options.user_agent, "x-request-id": new_id("req")}
    if options.credential is not None and not operation.public:
        headers["authorization"] = f"Bearer {options.credential}"
    if operation.keyed:
        headers["idempotency-key"] = call.idempotency_key or new_id("idem")
    content = None
    if body is not None:
        headers["content-type"] = "application/json"
        content = json.dumps(_said(operation, body, options), ensure_ascii=False, separators=(",", ":")).encode()
    return Send(operation.method, _url(call, options), headers, content, options.timeout)


def _url(call: Call[Any], options: Options) -> str:
    query = dict(call.query)
    if call.operation.acts == "query" and query.get("user_id") is None:
        query["user_id"] = options.acting
    url = httpx.URL((call.base or options.address.url).rstrip("/") + call.route())
    asked = {name: _parameter(value) for name, value in query.items() if value is not None}
    return str(url.copy_merge_params(asked))


def _said(operation: Operation[Any], body: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The body without what was left out."""
    said = {
        name: to_json(value)
        for name, value in body.items()
        if value is not NOT_GIVEN and (value is not None or name in operation.nullable)
    }
    if operation.fresh_id is not None and "id" not in said:
        said["id"] = new_id(operation.fresh_id)
    if operation.acts == "body" and options.acting is not None:
        said.setdefault("user_id", options.acting)
    return said


def _parameter(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
