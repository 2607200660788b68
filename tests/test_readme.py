"""README's own code, run as printed against an installation that `natter up` started in an empty folder."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients import node_packages
from tests.engines import reachable_folder

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(text: str) -> list[tuple[str, str | None, str]]:
    """`(language, file name, code)` of each block; the name is the one that the line above ends with."""
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        above = text[: match.start()].rstrip().rpartition("\n")[2]
        name = re.search(r"`([\w.]+)`:$", above)
        found.append((match[1], name[1] if name else None, match[2]))
    return found


def script(text: str) -> str:
    """One shell script that does what the reader does: saves the files, runs the commands."""
    steps = []
    for language, name, code in blocks(text):
        if name is not None:
            steps.append(f"cat > {name} <<'END OF FILE'\n{code}END OF FILE\n")
        elif language == "sh":
            steps.append(code)
    return "set -eu\n" + "".join(steps)


@pytest.fixture
async def installation(free_ports: Callable[[int], list[int]]) -> AsyncIterator[Path]:
    """A folder in which `natter up` is running."""
    folder = reachable_folder()
    control, node = free_ports(2)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NATTER_")}
    environment |= {"NATTER_CONTROL_PORT": str(control), "NATTER_NODE_PORT": str(node)}
    process = await asyncio.create_subprocess_exec(
        str(BIN / "natter"),
        "up",
        "--json",
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 90)
        assert line, (await process.communicate())[1].decode()
        assert json.loads(line)["nodes"]
        yield folder
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)
        await asyncio.to_thread(shutil.rmtree, folder, True)


def lay_out(folder: Path) -> None:
    """What the reader has in a checkout: `.venv/bin`. Its `npm` brings what is installed already, without a network."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("natter", "node"):
        (programs / name).symlink_to(BIN / name)
    python = programs / "python"  # a link would be a Python without what the checkout's has installed
    python.write_text(f'#!/bin/sh\nexec "{BIN / "python"}" "$@"\n')
    python.chmod(0o755)
    modules = node_packages.installed() / "node_modules"
    npm = programs / "npm"
    npm.write_text(f'#!/bin/sh\ntest "$*" = "install socket.io-client" && ln -sfn "{modules}" node_modules\n')
    npm.chmod(0o755)


async def run(command: str, folder: Path) -> tuple[int, str]:
    """Run a shell script; its exit code and all it wrote."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    except TimeoutError:
        process.kill()
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_first_integration_runs_as_printed(installation: Path) -> None:
    await asyncio.to_thread(lay_out, installation)
    code, out = await run(script(README), installation)
    assert code == 0, out
    assert out.splitlines()[-2:] == ["alice: Hello, Bob.", "bob: Hello, Alice."]


def test_the_first_integration_is_short() -> None:
    code = [line for _, name, text in blocks(README) if name for line in text.splitlines() if line.strip()]
    assert len(code) <= 22, "a newcomer reads this in a minute"


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def test_every_make_target_in_the_text_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z0-9-]+)", README))
    assert targets >= {"up", "test"}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_reader_of_blocks_sees_files_and_commands() -> None:
    sample: Any = script("Save `a.py`:\n\n```python\nprint(1)\n```\n\n```sh\npython a.py\n```\n\n```\nnot run\n```\n")
    assert sample == "set -eu\ncat > a.py <<'END OF FILE'\nprint(1)\nEND OF FILE\npython a.py\n"
