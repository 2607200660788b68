"""Breaks an installation in the way that a seed repeats, and writes down what it did to whom."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from itertools import chain
from typing import Any, Final

from redis.asyncio import Redis

from ops.chaos.history import Fault, History
from ops.chaos.installation import NODES, SERVERS, Installation
from ops.chaos.schedule import BREAKS, LONG, SHORT, Lengths, Strike, strikes

PATIENCE: Final = 60.0
"""Seconds for a part to come back before the next blow it must be up for."""


class Nemesis:
    """Strikes as `schedule` says; one thing at a time, but for what takes long to come back and tampered buses.

    One node is always left running while the other is not, so that there is somebody to talk to.
    `be_slow(node)` plays the slow consumer.
    """

    def __init__(
        self, installation: Installation, history: History, *, be_slow: Callable[[str], Awaitable[None]], long: bool
    ) -> None:
        self._installation = installation
        self._history = history
        self._be_slow = be_slow
        lengths: Lengths = LONG if long else SHORT
        rounds = strikes(history.seed, lengths, everything=long)
        first = next(rounds)
        self._strikes = chain(first, chain.from_iterable(rounds))
        self._at_least = 0 if long else len(first)
        self._returning: set[asyncio.Task[None]] = set()

    async def rage(self, seconds: float) -> None:
        """Strike for a while, but the short schedule once through at least; afterwards everything is whole again.

        The next rage goes on where this one ends.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end or self._at_least > 0:
            strike = next(self._strikes)
            self._at_least -= 1
            await asyncio.sleep(strike.gap)
            await self._until_it_may(strike)
            await self._strike(strike)
        returning, self._returning = self._returning, set()
        await asyncio.gather(*returning)
        self._history.note("whole again")

    async def _until_it_may(self, strike: Strike) -> None:
        downs = strike.target in NODES and strike.what in ("kill", "restart", "stop", "slow_consumer")
        parts = NODES if downs else (strike.target,)
        await self._installation.ready(*parts, seconds=PATIENCE)

    async def _strike(self, strike: Strike) -> None:
        self._history.note(str(strike))
        began = time.monotonic()
        nodes = (strike.target,) if strike.target in NODES else NODES if strike.target in SERVERS else ()
        match strike.what:
            case "kill":
                self._installation.kill(strike.target, pause=strike.seconds)
                while self._installation.parts[strike.target].alive:
                    await asyncio.sleep(0.01)
                self._later(self._returned(strike, nodes, began))
                return
            case "restart":
                await self._installation.stop(strike.target)
                self._installation.start(strike.target)
                self._later(self._returned(strike, nodes, began))
                return
            case "tamper":
                self._later(self._tamper(strike, nodes, began))
                return
            case "flush":
                async with Redis.from_url(self._installation.engines.redis_url) as redis:
                    await redis.flushall()
                return
            case "slow_consumer":
                await self._be_slow(strike.target)
                return
            case "stop":
                await self._hold(strike)
            case _:
                await self._break(strike)
        self._ended(strike, nodes, began)

    async def _hold(self, strike: Strike) -> None:
        self._installation.send(strike.target, signal.SIGSTOP)
        try:
            await asyncio.sleep(strike.seconds)
        finally:
            self._installation.send(strike.target, signal.SIGCONT)

    async def _break(self, strike: Strike) -> None:
        proxy = self._installation.proxies[strike.target, strike.server]
        if strike.what not in BREAKS:
            raise ValueError(strike.what)
        proxy.break_with(strike.what)  # type: ignore[arg-type]
        try:
            await asyncio.sleep(strike.seconds)
        finally:
            proxy.heal()

    async def _tamper(self, strike: Strike, nodes: tuple[str, ...], began: float) -> None:
        tampering = self._installation.tampering[strike.target]
        tampering.on = True
        try:
            await asyncio.sleep(strike.seconds)
        finally:
            tampering.on = False
        self._ended(strike, nodes, began)
        done = ", ".join(f"{what} {count}" for what, count in sorted(tampering.done.items()))
        self._history.note(f"end of tamper {strike.target}: {done or 'nothing came'}")

    async def _returned(self, strike: Strike, nodes: tuple[str, ...], began: float) -> None:
        await self._installation.ready(strike.target, seconds=PATIENCE)
        self._ended(strike, nodes, began)
        self._history.note(f"{strike.target} is back")

    def _ended(self, strike: Strike, nodes: tuple[str, ...], began: float) -> None:
        self._history.faults.append(Fault(str(strike), nodes, began, time.monotonic()))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._returning.add(task)

    async def stop(self) -> None:
        """Let go of what is still going on, as when a run ends early."""
        for task in self._returning:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._returning, return_exceptions=True)
