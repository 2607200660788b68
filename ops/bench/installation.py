"""A throw-away installation to measure: `natter up` in a folder of its own, with one tenant."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ops.ports import free_port


@asynccontextmanager
async def temporary_installation(*, nodes: int) -> AsyncIterator[tuple[dict[str, Any], list[str]]]:
    """Yields the tenant (`natter tenant create --json`) and the nodes' URLs; everything is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="natter-bench-"))
    os.chmod(folder, 0o711)  # noqa: PTH101, S103 - the engines' user must pass through
    natter = [sys.executable, "-m", "ops.cli"]
    up = await asyncio.create_subprocess_exec(
        *natter, "up", "--json", "--nodes", str(nodes), "--port-base", str(free_port()),
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert up.stdout is not None
        line = await asyncio.wait_for(up.stdout.readline(), 120)
        if not line:
            raise RuntimeError(f"natter up did not start; run it in {folder} to see why")
        urls = [node["url"] for node in json.loads(line)["nodes"]]
        create = await asyncio.create_subprocess_exec(
            *natter, "tenant", "create", "--email", "bench@example.com", "--organization", "Bench", "--app", "Bench",
            "--plan", "enterprise", "--json", cwd=folder, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await create.communicate()
        yield json.loads(output), urls
    finally:
        if up.returncode is None:
            up.terminate()
        await up.wait()
        shutil.rmtree(folder, ignore_errors=True)
