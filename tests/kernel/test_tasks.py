import asyncio

from kernel.tasks import end_tasks


async def test_a_task_that_forgets_a_cancellation_ends_all_the_same():
    forgotten = 0

    async def forgetful() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if forgotten == 2:
                    raise
                forgotten += 1

    async def failing() -> None:
        raise ValueError

    tasks = [asyncio.create_task(work()) for work in (forgetful, failing)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end_tasks(tasks)
    assert forgotten == 2
    assert all(task.done() for task in tasks)
    assert isinstance(tasks[1].exception(), ValueError)
