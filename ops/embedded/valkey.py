"""A private Valkey server: one program, its data an append-only file."""

import os
import signal
import socket
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ops.embedded.owner import Owner, engine_owner, own_folder
from ops.embedded.process import Launch, end_leftover
from ops.embedded.programs import packaged_valkey, runnable
from ops.errors import CannotStart

_SETTINGS: Final = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "daemonize": "no",
}


class Valkey:
    """One server whose folder `home` holds its data; the parent of `home` must be there. `settings`: further ones."""

    stop_signals = ((signal.SIGTERM, 10.0),)

    def __init__(
        self,
        home: Path,
        *,
        port: int,
        password: str,
        program: Path | None = None,
        copies: Path | None = None,
        owner: Owner | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.port = port
        self.owner = owner or engine_owner(self.home)
        self._program, self.version = runnable(
            program or packaged_valkey(), self.owner, copies or self.home.parent / "programs"
        )
        self.name = f"Valkey {self.version}"
        self._password = password
        self._settings = _SETTINGS | (settings or {})

    def url(self, database: int = 0) -> str:
        """A connection URL."""
        return f"redis://:{quote(self._password, safe='')}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """End a server that an earlier run left on this data."""
        own_folder(self.home, self.owner)
        if not os.access(self.home, os.W_OK):
            raise CannotStart(
                f"{self.home} belongs to another user.", "Start Natter as the user who started it the first time."
            )
        try:
            pid = int((self.home / "valkey.pid").read_text())
        except (OSError, ValueError):
            return
        end_leftover(pid, program=self._program.name, cwd=self.home, signals=self.stop_signals)

    def launch(self) -> Launch:
        """The server in the foreground; its configuration, with the password, comes by standard input."""
        settings = self._settings | {
            "port": str(self.port),
            "dir": str(self.home),
            "pidfile": str(self.home / "valkey.pid"),
            "requirepass": self._password,
        }
        lines = [f'{name} "{_escape(value)}"\n' for name, value in settings.items()]
        return Launch(
            argv=(str(self._program), "-"),
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            cwd=self.home,
            owner=self.owner,
            stdin="".join(lines).encode(),
            death_signal=signal.SIGTERM,
        )

    def is_ready(self, pid: int) -> bool:
        """Whether it answers a PING, which it does not do while it still loads its data."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
                connection.sendall(
                    f"*2\r\n$4\r\nAUTH\r\n${len(self._password)}\r\n{self._password}\r\nPING\r\n".encode()
                )
                answer = b""
                while answer.count(b"\r\n") < 2:
                    received = connection.recv(256)
                    if not received:
                        return False
                    answer += received
                return answer.endswith(b"+PONG\r\n")
        except OSError:
            return False


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
