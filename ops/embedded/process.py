"""Start, watch and stop one child process that must never outlive its parent."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from ops.embedded.owner import Owner, identity
from ops.errors import CannotStart

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a child. `death_signal` is what the system sends it when this process dies, however it dies."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    death_signal: signal.Signals
    owner: Owner | None = None
    stdin: bytes = b""
    """What the child reads first, at most 64 kB: the place for secrets, which a command line would show to others."""
    pass_fds: tuple[int, ...] = ()

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own, so that a terminal's Ctrl-C reaches the parent alone.

        Call it on the main thread: the system watches the thread that starts a child, not the process.
        Raises `CannotStart`.
        """
        try:
            with open_log(log) as output:
                child = subprocess.Popen(  # noqa: S603
                    self.argv,
                    env=dict(self.env),
                    cwd=self.cwd,
                    stdin=subprocess.PIPE if self.stdin else subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    # Runs after the change of user, which would clear what it sets.
                    preexec_fn=die_with_parent(self.death_signal, parent=os.getpid()),
                    umask=0o077,
                    pass_fds=self.pass_fds,
                    **identity(self.owner),
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotStart(
                f"{self.argv[0]} could not be started: {error}",
                "Install Natter again, into a folder from which programs may run: make clean, then make install.",
            ) from error
        if child.stdin is not None:
            with suppress(BrokenPipeError):  # it has died already; whoever waits for it reads why in the log
                child.stdin.write(self.stdin)
            with suppress(BrokenPipeError):
                child.stdin.close()
        return child


def open_log(log: Path) -> BinaryIO:
    """Open a log for appending. Only this user can read it: logs hold statements and names."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    give_to_owner_of(log.parent, log)
    return os.fdopen(descriptor, "ab")


def give_to_owner_of(folder: Path, path: Path) -> None:
    """What root makes in another user's folder belongs to that user, who could not go on with it otherwise."""
    if os.geteuid() == 0:
        found = folder.stat()
        os.chown(path, found.st_uid, found.st_gid)


def die_with_parent(death_signal: signal.Signals, *, parent: int) -> Callable[[], None]:
    """For a child to call, as its last user: the system will send it the signal when its parent dies."""

    def arrange() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return arrange


def name_process(name: str) -> None:
    """What `ps -o comm` and `top` call this process, 15 characters at most."""
    if _libc is not None:
        _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


class Child(Protocol):
    """A running server: the part of `subprocess.Popen` that is used here."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Its exit code once it has ended, negative for a signal."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Block until it has ended. Raises `subprocess.TimeoutExpired`."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless it has ended."""
        ...

    def kill(self) -> None:
        """`kill -9`."""
        ...


class Engine(Protocol):
    """A server that Natter runs as a child."""

    name: str

    @property
    def stop_signals(self) -> tuple[tuple[signal.Signals, float], ...]:
        """Signals in order of force, each with the seconds to wait for its effect."""
        ...

    def prepare(self) -> None:
        """Make its data if there is none, and end what an earlier run left behind. Blocks. Raises `CannotStart`."""
        ...

    def launch(self) -> Launch:
        """How to start it, once prepared."""
        ...

    def is_ready(self, pid: int) -> bool:
        """Whether the process of this id accepts connections. Quick."""
        ...


def start_and_wait(engine: Engine, log: Path, *, timeout: float = 30) -> "subprocess.Popen[bytes]":
    """Prepare and start an engine, and block until it accepts connections. Raises `CannotStart` with its last words."""
    engine.prepare()
    child = engine.launch().start(log)
    deadline = time.monotonic() + timeout
    while not engine.is_ready(child.pid):
        if child.poll() is not None:
            raise CannotStart(f"{engine.name} ended while it started:\n{last_lines(log)}", f"All of it is in {log}.")
        if time.monotonic() > deadline:
            stop_process(child, engine.stop_signals)
            raise CannotStart(f"{engine.name} was not ready after {timeout:.0f} s:\n{last_lines(log)}")
        time.sleep(0.01)
    return child


def stop_process(child: Child, signals: tuple[tuple[signal.Signals, float], ...]) -> None:
    """Send the signals in order until it has ended. Blocks."""
    for signum, patience in (*signals, (signal.SIGKILL, 5.0)):
        if child.poll() is not None:
            return
        child.send_signal(signum)
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)


def is_running(pid: int, *, program: str, cwd: Path) -> bool:
    """Whether this process id is that program at work in that folder, and not a stranger who got the number.

    False where it cannot be told (another user's process, or no /proc).
    """
    process = Path("/proc") / str(pid)
    try:
        executable = (process / "exe").readlink().name.removesuffix(" (deleted)")
        return executable == program and (process / "cwd").samefile(cwd) and not is_zombie(pid)
    except OSError:
        return False


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and only waits for its parent to notice."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def end_leftover(pid: int, *, program: str, cwd: Path, signals: tuple[tuple[signal.Signals, float], ...]) -> bool:
    """End a process that an earlier run left behind, if it is that program in that folder. Returns whether it was."""
    if not is_running(pid, program=program, cwd=cwd):
        return False
    for signum, patience in (*signals, (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_running(pid, program=program, cwd=cwd):
                return True
            time.sleep(0.01)
    raise CannotStart(f"A {program} of an earlier run (process {pid}) does not end.", f"End it by hand: kill -9 {pid}")


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log file, indented, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return "  (it wrote no log)"
    return "\n".join(f"  {line}" for line in lines) or "  (its log is empty)"
