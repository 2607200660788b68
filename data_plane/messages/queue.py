"""A queue in which apps take turns."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


class FairQueue(Generic[T]):
    """What waits in one lane: in order within an app, and in turns between apps."""

    __slots__ = ("_apps", "_size")

    def __init__(self) -> None:
        self._apps: dict[UUID, deque[T]] = {}
        """By app, the one whose turn it is first. None is empty."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def of_app(self, app_id: UUID) -> int:
        """How much of one app waits."""
        return len(self._apps.get(app_id, ()))

    def loud(self, most: int, most_of_all: int) -> list[UUID]:
        """Apps of which more than `most` waits, or more than `most_of_all` and more than of all others together."""
        size = self._size
        if size <= most_of_all:
            return []
        return [
            app_id
            for app_id, queue in self._apps.items()
            if len(queue) > most or (len(queue) > most_of_all and 2 * len(queue) > size)
        ]

    def remove_app(self, app_id: UUID) -> list[T]:
        """Take out all of an app's, in order."""
        queue = self._apps.pop(app_id, None) or ()
        self._size -= len(queue)
        return list(queue)

    def append(self, app_id: UUID, item: T) -> None:
        """Add at the end of an app's."""
        queue = self._apps.get(app_id)
        if queue is None:
            queue = self._apps[app_id] = deque()
        queue.append(item)
        self._size += 1

    def take(self, most: int) -> list[T]:
        """The next batch: as many of each app while all have some, and whose turn ended early is first next time."""
        batch: list[T] = []
        while self._apps and len(batch) < most:
            share = max(1, (most - len(batch)) // len(self._apps))
            for app_id in list(self._apps)[: most - len(batch)]:
                queue = self._apps.pop(app_id)
                batch += [queue.popleft() for _ in range(min(share, len(queue)))]
                if queue:
                    self._apps[app_id] = queue
        self._size -= len(batch)
        return batch

    def remove(self, wanted: Callable[[T], bool]) -> list[T]:
        """Take out all of these, in order within an app."""
        found: list[T] = []
        for app_id, queue in list(self._apps.items()):
            taken = [item for item in queue if wanted(item)]
            if len(taken) == len(queue):
                del self._apps[app_id]
            elif taken:
                self._apps[app_id] = deque(item for item in queue if not wanted(item))
            found += taken
        self._size -= len(found)
        return found
