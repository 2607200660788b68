"""A benchmark that is ended leaves nothing behind."""

import signal
import subprocess
import sys

_WORK = """
import asyncio
from ops.cli.bench import _run

async def work():
    try:
        print("begun", flush=True)
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0)
        print("cleared away", flush=True)

_run(work(), True)
"""


def test_a_benchmark_that_is_told_to_end_stops_what_it_started():
    process = subprocess.Popen([sys.executable, "-c", _WORK], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    rest, _ = process.communicate(timeout=10)
    assert (rest, process.returncode) == ("cleared away\n", 128 + signal.SIGTERM)
