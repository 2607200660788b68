"""Fixtures of all tests (told at the top of `tests/engines.py`), and how a run is shared out to several processes.

`make test` runs three test processes (pytest-xdist), each with engines and ports of its own. A file's tests stay
together in one of them and in their order; so do those of some folders, which share something costly
(`tests/together.py`).
"""

import functools
import gc
import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import structlog

from ops.ports import keep_to_share
from tests import schemas

pytest_plugins = ("tests.together", "tests.engines", "tests.emptied", "tests.cluster")

TESTS: Final = Path(__file__).parent
STARTS_FIRST: Final = (
    *("scenarios", "portal", "api", "ops", "invariants", "clients", "sdk"),
    *("docs", "convergence", "fuzz", "test_readme.py", "test_reference.py"),
)
"""The folders and files that take longest: begun first, so that short files fill the end of a run."""

# What a run finds must not hang on chance or on how busy the machine is; `make fuzz` tries other examples each time.
_ALWAYS: Final = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow], "print_blob": True}
hypothesis.settings.register_profile("suite", derandomize=True, database=None, **_ALWAYS)
hypothesis.settings.register_profile("explore", max_examples=2_000, **_ALWAYS)
hypothesis.settings.load_profile("suite")


# structlog's own way draws a traceback with colours and every frame's variables, for a quarter of a second each.
_RENDERER: Final = structlog.dev.ConsoleRenderer(
    colors=False, exception_formatter=structlog.dev.plain_traceback, sort_keys=True
)
# The process's own error output, not `sys.stdout`: click's runner puts its own in that place while a command runs, and
# what a server in the background said then would stand between the lines of the command.
structlog.configure(
    processors=[*structlog.get_config()["processors"][:-1], _RENDERER],
    logger_factory=structlog.PrintLoggerFactory(sys.__stderr__),
)

# Every HTTP client reads the machine's certificates, for 18 ms. A run opens thousands, none of them to speak TLS.
ssl.create_default_context = functools.cache(ssl.create_default_context)


@pytest.fixture(autouse=True)
def no_unknown_events() -> Iterator[None]:
    """Whatever a socket client of a test hears must be told of by a definition; see `tests/schemas.py`."""
    schemas.caught()
    yield
    wrong = schemas.caught()
    if wrong:
        pytest.fail(
            f"a client heard what fits no definition, {len(wrong)} times:\n" + "\n".join(wrong[:10]), pytrace=False
        )


def pytest_configure() -> None:
    """Let no test process take a port that another one is about to listen on, or means to listen on again."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    keep_to_share(int(worker), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_finish() -> None:
    """Leave what was imported and collected to itself: no collection of garbage need walk all of it again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    ranks = {name: rank for rank, name in enumerate(STARTS_FIRST)}
    scenarios = {item.path for item in items if item.get_closest_marker("scenario")}

    def rank(item: pytest.Item) -> tuple[bool, int]:
        folder = item.path.relative_to(TESTS).parts[0]
        return item.path not in scenarios, ranks.get(folder, len(ranks))

    items.sort(key=rank)
