"""`python -m ops.health`: whether the server of this container works, which is what the image's health check asks.

Which server that is, and where, is read off process 1, so that one check serves all of them. Ends with 0 or 1.
"""

import asyncio
import sys
from pathlib import Path

from kernel.settings import load_settings
from ops.installation.compose import reachable_host
from ops.probe import http_status


def arguments_of(pid: int) -> list[str]:
    """What follows `natter` on the command line of a process; empty when it is another program."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    at = next((index for index, word in enumerate(words) if Path(word).name == "natter"), len(words))
    return [word for word in words[at + 1 :] if word]


def is_healthy(pid: int) -> bool:
    """Whether the server that runs as this process is ready."""
    match arguments_of(pid):
        case ["control", *_]:
            return _answers(load_settings().control_port)
        case ["node", *_]:
            return _answers(load_settings().node_port)
        case ["worker", "--ready-file", file, *_]:
            return Path(file).exists() and Path(file).read_text() == str(pid)
    return False


def _answers(port: int) -> bool:
    host = reachable_host(load_settings().host)
    return asyncio.run(http_status(f"http://{host}:{port}/readyz")) == 200


if __name__ == "__main__":
    sys.exit(not is_healthy(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
