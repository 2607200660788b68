from collections.abc import AsyncIterator

import pytest

from ops.chaos.installation import Installation, installation
from tests.engines import engines_of_tests


@pytest.fixture(scope="session")
async def shared() -> AsyncIterator[Installation]:
    """One installation for all scenarios; each brings tenants of its own."""
    async with installation(engines_of_tests()) as made:
        yield made


@pytest.fixture
async def whole(shared: Installation) -> Installation:
    """The shared installation with every part up, and none that an earlier test planted a bug in."""
    await shared.programs()
    return shared
