"""Prometheus metrics: one registry a process, passed in, so that tests do not share counters."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["CONTENT_TYPE_LATEST", "CollectorRegistry", "render"]


def render(registry: CollectorRegistry) -> bytes:
    """The text exposition of everything in the registry."""
    return generate_latest(registry)
