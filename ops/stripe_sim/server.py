"""The simulator as a server on a loopback port: in the loop of a test, or as the process `natter stripe-sim`."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson
import uvicorn

from kernel.logging import get_logger

# Importing these registers their routes.
from ops.stripe_sim import (  # noqa: F401
    catalog,
    checkout,
    control,
    customers,
    invoice_routes,
    meters,
    portal,
    schedules,
    subscription_routes,
    test_clocks,
    timeline,
    webhooks,
)
from ops.stripe_sim.errors import StripeError, Unfit
from ops.stripe_sim.faults import Fault, Faults
from ops.stripe_sim.http import Answer, Api, Cut, Receive, Scope, Send
from ops.stripe_sim.pages import Pages
from ops.stripe_sim.sim import Sim, outside
from ops.stripe_sim.store import Store, Thing

_log = get_logger(__name__)
_LARGEST: Final = 1_000_000
_TICK: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`frozen_at` stops the clock there; without it the clock goes. `seed` makes ids the same in each run.

    `webhook` is an endpoint that wants every event, signed with `signing_secret`.
    """

    key: str
    port: int = 0
    state: Path | None = None
    seed: str | None = None
    frozen_at: int | None = None
    webhook: str = ""
    signing_secret: str = ""


class Simulator:
    """`async with Simulator(Options(key="sk_test_…")) as simulator:` serves at `simulator.url`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.key = options.key
        self.sim = Sim(Store(options.state, options.seed), frozen_at=options.frozen_at)
        self.outbox = webhooks.Outbox(self.sim)
        self.faults = Faults(self.sim.real)
        self.api = Api(self.sim, self.outbox, self.faults, options.key)
        self.pages = Pages(self)
        self.url = ""
        self._server: uvicorn.Server | None = None
        self._listener: socket.socket | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on 127.0.0.1. Raises `OSError` for a port that is taken."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self.options.port))
        except OSError:
            listener.close()
            raise
        self.url = self.sim.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if self.options.webhook:
            self._own_endpoint()
        config = uvicorn.Config(
            self,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        config.load()
        # Its `serve` would take the signals, and looks ten times a second whether it is to stop.
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listener])
        self._listener = listener
        self.outbox.start()
        self._ticking = asyncio.create_task(self._tick(), name="stripe-sim clock")

    async def stop(self) -> None:
        """End what runs and close the state. What was not delivered waits there."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await self.outbox.stop()
        if self._server is not None and self._listener is not None:
            await self._server.shutdown(sockets=[self._listener])
        self.sim.store.close()

    def _own_endpoint(self) -> None:
        """The endpoint of the command line; after a restart it is there already, perhaps with another secret."""
        self.sim.begin()
        secret = self.options.signing_secret
        endpoint = next(self.sim.store.all("webhook_endpoint", url=self.options.webhook), None)
        if endpoint is None:
            webhooks.add_endpoint(self.sim, self.options.webhook, secret, ["*"])
        elif endpoint["_secrets"][0]["secret"] != secret:
            endpoint["_secrets"] = [{"secret": secret, "until": None}]
        self.sim.commit()

    async def _tick(self) -> None:
        """Do what is due as time goes by. A clock that stands still has nothing due."""
        while True:
            if self.sim.settings["frozen"] is None:
                self.advance_to(self.sim.now())
            await asyncio.sleep(_TICK)

    # -- what tests and control routes do ------------------------------------------------------------------------------

    def advance_to(self, moment: int) -> int:
        """Move the main clock forward; returns how many things happened on the way."""
        steps = timeline.advance(self.sim, moment)
        self.outbox.wake()
        return steps

    def advance(self, seconds: int) -> int:
        return self.advance_to(self.sim.now() + seconds)

    def complete_checkout(self, session: str, number: str = "4242424242424242", **details: Any) -> Any:
        """What the customer does on the Checkout page. Raises `StripeError` for a card that is refused."""
        return self.change(
            lambda sim: checkout.complete(sim, sim.need("checkout.session", session), number=number, **details),
            shown=("checkout.session", session),
        )

    def decline(self, code: str | None, customer: str = "*") -> None:
        """Refuse the cards of a customer, or of all (`*`), with this decline code; `None` lets them work again."""

        def order(sim: Sim) -> None:
            if code is None:
                sim.settings["decline"].pop(customer, None)
            else:
                sim.settings["decline"][customer] = code

        self.change(order)

    def fault(self, kind: str, **details: Any) -> None:
        """Let the next requests meet a fault; see `faults.Fault`."""
        self.faults.add(Fault(kind, **details))

    async def settled(self, seconds: float = 30.0) -> None:
        """Wait until every webhook was delivered. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds):
            await self.outbox.settled()

    def resend(self, event: str) -> None:
        """Deliver an event once more, to each endpoint that is enabled."""

        def order(sim: Sim) -> None:
            told = sim.need("event", event, "event")
            for endpoint in sim.store.all("webhook_endpoint", status="enabled"):
                told["pending_webhooks"] += 1
                fields = {"event": event, "endpoint": endpoint["id"], "attempts": 0, "due": sim.real()}
                sim.store.add({"object": "_delivery", "id": sim.store.new_id("dlv")} | fields)

        self.change(order)

    def roll_secret(self, endpoint: str, live_seconds: int = 86_400, secret: str | None = None) -> str:
        """Give an endpoint a new secret; for a while both sign."""
        fresh = secret or f"whsec_{secrets.token_urlsafe(24)}"
        self.change(lambda sim: webhooks.roll_secret(sim, sim.need("webhook_endpoint", endpoint), fresh, live_seconds))
        return fresh

    def change(self, work: Callable[[Sim], Any], shown: tuple[str, str] | None = None) -> Any:
        """One transaction outside the API. Returns what `shown` names, as it is afterwards."""
        self.sim.begin()
        try:
            work(self.sim)
        except BaseException:
            self.sim.rollback()
            raise
        self.sim.commit()
        self.outbox.wake()
        thing: Thing | None = self.sim.store.get(*shown) if shown else None
        result = outside(thing)
        self.sim.rollback()
        return result

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        body = await _body(receive)
        try:
            answer = await self._answer(method, path, query, headers, body, receive)
        except Cut:
            _abort(send)
            return
        except StripeError as error:
            answer = Answer(error.status, orjson.dumps(error.body()))
        except Exception:
            _log.exception("stripe_sim.failed", method=method, path=path)
            told = StripeError(500, "api_error", "The simulator failed; its log says how.")
            answer = Answer(500, orjson.dumps(told.body()))
        await _send(answer, send)

    async def _answer(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes, receive: Receive
    ) -> Answer:
        if path.startswith("/v1/"):
            return await self.api.answer(method, path, query, headers, body, lambda: _gone(receive))
        if path == "/readyz":
            return Answer(200, b'{"status":"ok"}')
        if path.startswith("/_sim"):
            self.api.check(headers)
            if body and not headers.get("content-type", "").startswith("application/json"):
                raise Unfit(415, "invalid_request_error", "Control routes take application/json.")
            result = await control.answer(self, method, path, body)
            self.sim.rollback()
            return Answer(200, orjson.dumps(result))
        return self.pages.answer(method, path, query, headers, body)


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        part = message.get("body", b"")
        size += len(part)
        if size <= _LARGEST:
            parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(answer: Answer, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    with contextlib.suppress(OSError):
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _abort(send: Any) -> None:
    """Reset the connection under uvicorn, which has no way of its own to answer nothing."""
    send.__self__.transport.abort()
