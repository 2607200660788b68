"""What a node tells Prometheus."""

from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge


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
    ) -> None:
        """Name the values. Call once a node."""
        self._gauge("natter_connections", "Authenticated connections.", lambda: len(connections))
        self._gauge("natter_sends_waiting", "Messages that wait for a flush.", waiting_sends)
        self._gauge("natter_entries_filled", "Log entries read because the bus did not bring them.", filled_entries)
        self._gauge("natter_follower_failures", "Rounds in a row the log could not be followed.", follower_failures)
        self._gauge("natter_bus_connected", "1 while the bus can be heard.", lambda: int(bus_connected()))

    def _gauge(self, name: str, doc: str, read: Callable[[], float]) -> None:
        Gauge(name, doc, registry=self._registry).set_function(read)
