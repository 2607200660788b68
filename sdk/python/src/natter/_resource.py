"""What the resources of the two clients are made of."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from ._operation import Call

T = TypeVar("T")


class Caller(Protocol):
    """A client that blocks."""

    def call(self, call: Call[T]) -> T:
        """Make the call, again where that is safe and may help."""


class AsyncCaller(Protocol):
    """A client that is awaited."""

    async def call(self, call: Call[T]) -> T:
        """Make the call, again where that is safe and may help."""


class Placed(Protocol):
    """What has a place in a channel's log."""

    @property
    def seq(self) -> int:
        """The place."""


PlacedT = TypeVar("PlacedT", bound=Placed, covariant=True)
L = TypeVar("L", bound=Placed)


class History(Protocol[PlacedT]):
    """A page of messages, the oldest first."""

    @property
    def messages(self) -> Sequence[PlacedT]:
        """Those of the page."""

    @property
    def has_before(self) -> bool:
        """There are older ones."""

    @property
    def has_after(self) -> bool:
        """There are newer ones."""


class Page(Protocol):
    """A page of a list."""

    @property
    def next_cursor(self) -> str | None:
        """Where the next page starts."""


P = TypeVar("P", bound=Page)


class Resource:
    """Calls that belong together."""

    def __init__(self, caller: Caller) -> None:
        self._call = caller.call


class AsyncResource:
    """Calls that belong together."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._call = caller.call


def pages(fetch: Callable[[str | None], P], items: Callable[[P], Sequence[T]]) -> Iterator[T]:
    """All items of all pages. The next page is asked for when the one before is used up."""
    cursor: str | None = None
    while True:
        page = fetch(cursor)
        yield from items(page)
        cursor = page.next_cursor
        if cursor is None:
            return


async def async_pages(
    fetch: Callable[[str | None], Awaitable[P]], items: Callable[[P], Sequence[T]]
) -> AsyncIterator[T]:
    """All items of all pages. The next page is asked for when the one before is used up."""
    cursor: str | None = None
    while True:
        page = await fetch(cursor)
        for item in items(page):
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return


def newer(fetch: Callable[[str | int], History[L]], after: str | int) -> Iterator[L]:
    """All messages after one, the oldest first. A `seq` never moves, so none is skipped and none comes twice."""
    more = True
    while more:
        page = fetch(after)
        yield from page.messages
        more = page.has_after and bool(page.messages)
        if more:
            after = page.messages[-1].seq


def older(fetch: Callable[[str | int | None], History[L]], before: str | int | None) -> Iterator[L]:
    """All messages before one, or all there are, the newest first."""
    more = True
    while more:
        page = fetch(before)
        yield from reversed(page.messages)
        more = page.has_before and bool(page.messages)
        if more:
            before = page.messages[0].seq


async def async_newer(fetch: Callable[[str | int], Awaitable[History[L]]], after: str | int) -> AsyncIterator[L]:
    """All messages after one, the oldest first. A `seq` never moves, so none is skipped and none comes twice."""
    more = True
    while more:
        page = await fetch(after)
        for message in page.messages:
            yield message
        more = page.has_after and bool(page.messages)
        if more:
            after = page.messages[-1].seq


async def async_older(
    fetch: Callable[[str | int | None], Awaitable[History[L]]], before: str | int | None
) -> AsyncIterator[L]:
    """All messages before one, or all there are, the newest first."""
    more = True
    while more:
        page = await fetch(before)
        for message in reversed(page.messages):
            yield message
        more = page.has_before and bool(page.messages)
        if more:
            before = page.messages[0].seq
