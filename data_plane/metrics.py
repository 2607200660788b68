"""What a node tells Prometheus: one page, whichever of its workers is asked."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.parser import text_string_to_metric_families

from kernel.metrics import render


class _Sized(Protocol):
    def __len__(self) -> int: ...


class NodeMetrics:
    """Gauges that are read when they are scraped, so that the hot path pays nothing for them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def watch(
        self,
        *,
        connections: _Sized,
        waiting_sends: Callable[[], int],
        filled_entries: Callable[[], int],
        follower_failures: Callable[[], int],
        bus_connected: Callable[[], bool],
        passing: Callable[[], int],
    ) -> None:
        """Name the values. Call once a node."""
        self._gauge("natter_connections", "Authenticated connections.", lambda: len(connections))
        self._gauge("natter_sends_waiting", "Messages that wait for a flush.", waiting_sends)
        self._gauge("natter_entries_filled", "Log entries read because the bus did not bring them.", filled_entries)
        self._gauge("natter_follower_failures", "Rounds in a row the log could not be followed.", follower_failures)
        self._gauge("natter_bus_connected", "1 while the bus can be heard.", lambda: int(bus_connected()))
        self._gauge("natter_passing", "Polls and WebSockets passed on to their sessions' owners.", passing)

    def own(self) -> bytes:
        """This process's page."""
        return render(self._registry)

    async def page(self, worker: int, others: Sequence[Awaitable[tuple[int, bytes | None]]]) -> bytes:
        """The whole node's page; `others` are its other workers and their pages, null where there was no answer.

        With several workers each sample says whose it is.
        """
        if not others:
            return self.own()
        return merged({worker: self.own(), **dict(await asyncio.gather(*others))})

    def _gauge(self, name: str, doc: str, read: Callable[[], float]) -> None:
        Gauge(name, doc, registry=self._registry).set_function(read)


class _Families:
    """A collector of what is there already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families: Final = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def merged(pages: dict[int, bytes | None]) -> bytes:
    """One page of several workers' pages. `natter_worker_up` is 0 for those that gave none."""
    up = Metric("natter_worker_up", "1 for a worker that answers.", "gauge")
    families: dict[str, Metric] = {up.name: up}
    for number, page in sorted(pages.items()):
        label = {"worker": str(number)}
        up.add_sample(up.name, label, float(page is not None))
        for family in text_string_to_metric_families((page or b"").decode()):
            whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                whole.add_sample(sample.name, {**sample.labels, **label}, sample.value, sample.timestamp)
    registry = CollectorRegistry()
    registry.register(_Families(families.values()))
    return render(registry)
