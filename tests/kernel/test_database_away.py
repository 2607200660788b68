"""What means that PostgreSQL is away for the moment, and what is a defect."""

import asyncio
import errno

import pytest
import uvloop
from asyncpg.exceptions import InternalClientError, UndefinedTableError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kernel.http.problems import database_is_away


async def write_to_a_closed_transport() -> BaseException:
    """What uvloop says to who writes over a connection that was dropped in between."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
    transport.abort()
    await asyncio.sleep(0.01)
    server.close()
    try:
        transport.set_write_buffer_limits(1)
    except RuntimeError as error:
        return error
    raise AssertionError("uvloop said nothing")


def test_a_transport_that_was_closed_in_between_is_a_database_that_is_away():
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert database_is_away(runner.run(write_to_a_closed_transport()))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EHOSTUNREACH, "no way"),
        ConnectionResetError(),
        TimeoutError(),
        InternalClientError("?"),
        PoolTimeout(),
    ],
)
def test_a_connection_that_fails_is_one_too(error: Exception):
    assert database_is_away(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), FileNotFoundError(errno.ENOENT, "x"), UndefinedTableError("x"), KeyError("x")]
)
def test_a_defect_stays_one(error: Exception):
    assert not database_is_away(error)
