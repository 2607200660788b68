from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ops.chaos.client import Socket
from ops.chaos.installation import Installation, installation
from tests import schemas
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


@pytest.fixture(scope="session", autouse=True)
def definitions() -> Iterator[None]:
    """What chaos's clients hear must fit the events' definitions too; see `tests/schemas.py`."""
    event, call = Socket._event, Socket.call

    def hear(self: Socket, name: str, payload: dict[str, Any]) -> None:
        schemas.heard(name, payload)
        event(self, name, payload)

    async def ask(self: Socket, name: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = await call(self, name, payload, **more)
        schemas.answered(name, answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Socket, "_event", hear)
        patch.setattr(Socket, "call", ask)
        yield
