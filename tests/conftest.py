"""Fixtures of all tests (told at the top of `tests/engines.py`), and how a run is shared out to several processes.

`make test` runs three test processes (pytest-xdist), each with engines and ports of its own. A file's tests stay
together in one of them and in their order; so do those of a folder in `TOGETHER`, which share something costly. It is
ended with the last of them, and not with the run: nodes that nobody calls any more still take their share of a core.
"""

import functools
import gc
import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
import structlog

from ops.ports import keep_to_share
from tests import schemas

pytest_plugins = ("tests.engines", "tests.emptied", "tests.cluster")

TESTS: Final = Path(__file__).parent
TOGETHER: Final = (
    *("scenarios", "portal/apps", "api", "invariants/chat", "invariants/management", "clients", "convergence", "sdk"),
)
"""Folders whose tests share an installation: real processes, or nodes within the test process."""
_SHARED: Final[list[tuple["pytest.FixtureDef[Any]", Any]]] = []
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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole files and folders. xdist's own way (`loadgroup`) does nothing under pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0].removeprefix("tests/"))

    return Groups(config, log)


def group_of(file: str) -> str:
    """What a file's tests are handed out with: the file itself, or a folder of `TOGETHER`."""
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: "pytest.FixtureDef[Any]", request: Any) -> None:
    """Remember what a folder of `TOGETHER` shares, in the order of its making."""
    if fixturedef.scope == "session" and group_of(f"{fixturedef.baseid.removeprefix('tests/')}/") in TOGETHER:
        _SHARED.append((fixturedef, request))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """End it when the folder's last test is over. pytest itself has such a scope for packages alone."""
    yield
    if nextitem is None or _group_of(nextitem) != _group_of(item):
        while _SHARED:
            fixturedef, request = _SHARED.pop()
            fixturedef.finish(request)


def _group_of(item: pytest.Item) -> str:
    return group_of(item.path.relative_to(TESTS).as_posix())


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
