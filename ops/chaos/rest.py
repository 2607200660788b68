"""REST of an installation that is being broken: a request goes to any node, again and again until one answers."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx


class GaveUp(Exception):
    """No node gave a final answer in time: whether it was done is not known. Says what each attempt met, and what the
    database was busy with."""


class Answer:
    """A final answer: below 500, and not 429."""

    def __init__(self, node: str, response: httpx.Response) -> None:
        self.node = node
        self.status = response.status_code
        self.body: Any = response.json() if response.content else None

    def expect(self, *statuses: int) -> Any:
        """The body, when the status is one of these."""
        if self.status not in statuses:
            raise AssertionError(f"HTTP {self.status}: {self.body}")
        return self.body


async def _nothing() -> str:
    return ""


class Rest:
    """Asks the nodes at these URLs. `evidence` is asked for, and goes into `GaveUp`, when no answer came."""

    def __init__(
        self,
        urls: dict[str, str],
        rng: random.Random,
        *,
        on_defect: Callable[[str], None] = lambda what: None,
        evidence: Callable[[], Awaitable[str]] = _nothing,
    ) -> None:
        self._urls = urls
        self._on_defect = on_defect
        self._evidence = evidence
        self._random = rng
        self._http = httpx.AsyncClient(
            trust_env=False, timeout=8.0, limits=httpx.Limits(max_connections=50, max_keepalive_connections=20)
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        token: str,
        *,
        json: Any = None,
        params: dict[str, Any] | None = None,
        key: str | None = None,
        nodes: Sequence[str] = (),
        seconds: float = 20.0,
    ) -> Answer:
        """Ask one of `nodes` (default: all) until one answers. A POST needs a `key` to be safe to repeat.

        Raises `GaveUp`.
        """
        headers = {"authorization": f"Bearer {token}"} | ({"idempotency-key": key} if key else {})
        began = time.monotonic()
        tried: list[str] = []
        while True:
            node = self._random.choice(list(nodes or self._urls))
            trouble: object
            try:
                response = await self._http.request(
                    method, self._urls[node] + path, headers=headers, json=json, params=params
                )
            except httpx.HTTPError as error:
                trouble = repr(error)
            else:
                if response.status_code < 500 and response.status_code != 429:
                    return Answer(node, response)
                trouble = f"{response.status_code} {response.text[:200]}"
                if response.status_code == 500:
                    self._on_defect(f"{method} {path} on {node}: {trouble}")
            took = time.monotonic() - began
            tried.append(f"{node} at {took:.1f} s: {trouble}")
            if took > seconds:
                raise GaveUp("\n".join([f"{method} {path}: {trouble}", *tried[-20:], await self._evidence()]))
            await asyncio.sleep(0.1)
