"""Folders whose tests share an installation: real processes, or nodes within the test process.

They are handed to one test process together, and what they share is ended with the last of them and not with the run:
nodes that nobody calls any more still take their share of a core. pytest has such a scope for packages alone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

TESTS: Final = Path(__file__).parent
TOGETHER: Final = (
    *("scenarios", "portal/apps", "api", "invariants/chat", "invariants/management", "clients", "convergence", "sdk"),
)
_shared: Final[list[tuple["pytest.FixtureDef[Any]", Any]]] = []


def group_of(file: str) -> str:
    """What a file's tests are handed out with: the file itself, or a folder of `TOGETHER`."""
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


def _group_of(item: pytest.Item) -> str:
    return group_of(item.path.relative_to(TESTS).as_posix())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole files and folders. xdist's own way (`loadgroup`) does nothing under pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0].removeprefix("tests/"))

    return Groups(config, log)


# These are no hooks of a `conftest.py`, which pytest does not ask about fixtures of the session.


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: "pytest.FixtureDef[Any]", request: Any) -> None:
    """Remember what a folder shares, in the order of its making."""
    if fixturedef.scope == "session" and group_of(f"{fixturedef.baseid.removeprefix('tests/')}/") in TOGETHER:
        _shared.append((fixturedef, request))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """End it when the folder's last test is over."""
    yield
    if nextitem is None or _group_of(nextitem) != _group_of(item):
        while _shared:
            fixturedef, request = _shared.pop()
            fixturedef.finish(request)
