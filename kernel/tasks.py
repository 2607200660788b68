"""The end of tasks, also of those that forget a cancellation."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_PATIENCE: Final = 0.2


async def end_tasks(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and wait until they have ended, whatever they end with.

    Again and again: on Python 3.11 `asyncio.wait_for`, which drivers use, swallows a cancellation that comes together
    with what it waits for, and a task that works for ever would go on.
    """
    ending = set(tasks)
    left = {task for task in ending if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_PATIENCE)
    for task in ending:
        if not task.cancelled():
            task.exception()  # asked for, or the loop complains that nobody did
