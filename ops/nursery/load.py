"""How the nursery's process is started, and what is said when its code cannot be loaded."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from ops.embedded.process import Launch, last_lines
from ops.errors import CannotStart


def load(log: Path) -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """Start the process, which begins to import, and return it with this side of its socket. Dies with this process."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = Launch(
            # -P: a folder `kernel` in the working directory must not be taken for ours.
            argv=(sys.executable, "-P", "-m", "ops.cli", "nursery", str(theirs.fileno())),
            env={name: value for name, value in os.environ.items() if not name.startswith("NATTER_")},
            cwd=Path.cwd(),
            death_signal=signal.SIGKILL,
            pass_fds=(theirs.fileno(),),
        ).start(log)
    return process, ours


def not_loaded(log: Path) -> CannotStart:
    """It has ended, and with it every server that was asked of it."""
    return CannotStart(f"Natter's servers could not be loaded:\n{last_lines(log)}", f"All of it is in {log}.")
