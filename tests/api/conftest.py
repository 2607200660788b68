"""One node and one management server for the folder, and their logs."""

from collections.abc import Callable, Iterator

import pytest

from tests.api.house import House, Logs, capture_logs
from tests.engines import Engines


@pytest.fixture(scope="session")
def house(engines: Engines, free_ports: Callable[[int], list[int]]) -> Iterator[House]:
    """A node with two apps, and the management server."""
    house = House(engines, free_ports)
    house.open()
    yield house
    house.close()


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    """What was logged during the test."""
    with capture_logs() as logs:
        yield logs


@pytest.fixture(scope="session")
def quiet_house(engines: Engines, free_ports: Callable[[int], list[int]]) -> Iterator[House]:
    """Another, for tests that look at everything that is stored after each call."""
    house = House(engines, free_ports)
    house.open()
    yield house
    house.close()
