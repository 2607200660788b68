"""Run compose.yaml without Docker: its services as processes on loopback, in its order, on its conditions, with its
environments and command lines. Replaced are the hosts, the ports and the mounted paths, and nothing else."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ops.embedded import Postgres
from ops.embedded.programs import packaged_postgres, packaged_valkey
from tests.engines import Server
from tests.ops.compose_file import ROOT, interpolated, load

BIN = Path(sys.executable).parent
PATIENCE = 60.0


class Failed(AssertionError):
    """A service did not do what those that depend on it wait for."""


class Composition:
    """The services of the file. `ports` are for control, node1, node2, bus, jobs, postgres."""

    def __init__(self, folder: Path, environ: dict[str, str], ports: dict[str, int]) -> None:
        self.folder = folder
        self.environ = environ
        self.ports = ports
        self.services: dict[str, Any] = interpolated(load(), environ)["services"]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: dict[str, str] = {}
        self._postgres: Server | None = None
        for name in ("volumes", "tmp", "programs", "empty"):
            (folder / name).mkdir()
        # What the images have on their PATH.
        (folder / "programs" / "valkey-server").symlink_to(packaged_valkey())
        self._path = f"{BIN}:{packaged_postgres()}:{folder / 'programs'}:/usr/bin:/bin"

    def up(self) -> None:
        """`docker compose up --wait`: everything, each when what it depends on is as it must be."""
        for name in self.services:
            self._start(name)
        for name in self.processes:
            self._wait(name, "service_healthy")

    def down(self) -> dict[str, int]:
        """`docker compose down`: the last first, with the signal and the patience that Compose has. Exit codes."""
        codes = {}
        for name, process in reversed(self.processes.items()):
            process.send_signal(signal.SIGTERM)
            grace = float(str(self.services[name].get("stop_grace_period", "10s")).rstrip("s"))
            try:
                codes[name] = process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        if self._postgres is not None:
            self._postgres.stop()
        return codes

    def run(self, name: str, *command: str) -> str:
        """`docker compose exec`: another command in a service's place. Raises `Failed`; returns what it prints."""
        argv = list(command) or self._argv(self.services[name])
        done = subprocess.run(
            argv, env=self.environment(name), cwd=self.folder / "empty", capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Failed(f"{name}: {argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def environment(self, name: str) -> dict[str, str]:
        """A service's variables, and a PATH as its image's."""
        own = {variable: self._here(str(value)) for variable, value in self.services[name]["environment"].items()}
        moved = {"NATTER_CONTROL_PORT": "control", "NATTER_NODE_PORT": name}
        if self.services[name]["image"] == "natter":
            own |= {variable: str(self.ports[of]) for variable, of in moved.items() if of in self.ports}
        return own | {"PATH": self._path}

    def is_healthy(self, name: str) -> bool:
        """What the service's own health check says."""
        service, process = self.services[name], self.processes.get(name)
        if process is None or process.poll() is not None:
            return False
        if service["image"] == "natter":
            check = [sys.executable, "-m", "ops.health", str(process.pid)]
            return subprocess.run(check, cwd=ROOT, env=self.environment(name), check=False).returncode == 0
        # The image's client is not here; the server is asked in its own words.
        password = service["environment"]["REDISCLI_AUTH"]
        return self._says_pong(self.ports[name], password)

    def log(self, name: str) -> str:
        """What a service printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    # -- inside --------------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        if name in self.processes or name in self.ended or (name == "postgres" and self._postgres is not None):
            return
        service = self.services[name]
        for needed, how in service.get("depends_on", {}).items():
            self._start(needed)
            self._wait(needed, how["condition"])
        if name == "postgres":
            self._start_postgres()
        elif service["restart"] == "no":
            self.ended[name] = self.run(name)
        else:
            with (self.folder / f"{name}.log").open("wb") as log:
                self.processes[name] = subprocess.Popen(
                    self._argv(service, name),
                    env=self.environment(name),
                    cwd=self.folder / "empty",
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

    def _wait(self, name: str, condition: str) -> None:
        if condition == "service_completed_successfully":
            assert name in self.ended
            return
        if name == "postgres":
            return
        deadline = time.monotonic() + PATIENCE
        while not self.is_healthy(name):
            if time.monotonic() > deadline or self.processes[name].poll() is not None:
                raise Failed(f"{name} does not become healthy:\n{self.log(name)[-3000:]}")
            time.sleep(0.1)

    def _start_postgres(self) -> None:
        environment = self.services["postgres"]["environment"]
        engine = Postgres(
            self.folder / "postgres", port=self.ports["postgres"], password=environment["POSTGRES_PASSWORD"]
        )
        self._postgres = Server.run(engine)
        (script,) = (each.split(":")[0] for each in self.services["postgres"]["volumes"] if "initdb.d" in each)
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(engine.port), "PGPASSWORD": environment["POSTGRES_PASSWORD"]}
        subprocess.run([ROOT / script], env=environment | where | {"PATH": self._path}, check=True)

    def _argv(self, service: dict[str, Any], name: str = "") -> list[str]:
        if service["image"] == "natter":
            entrypoint = service.get("entrypoint", ["natter"])
            argv = [self._here(word) for word in (*entrypoint, *service.get("command", []))]
            return [str(BIN / "natter"), *argv[1:]] if argv[0] == "natter" else argv
        shell, flag, line = service["command"]
        folder = self.folder / "volumes" / name
        folder.mkdir()
        assert line.startswith("exec valkey-server ")
        here = shlex.join(["--bind", "127.0.0.1", "--port", str(self.ports[name]), "--dir", str(folder)])
        return [shell, flag, f"{line} {here}"]

    def _here(self, text: str) -> str:
        """Hosts, ports and paths of containers as they are on this machine."""
        replaced = {
            "@postgres:5432": f"@127.0.0.1:{self.ports['postgres']}",
            "@bus:6379": f"@127.0.0.1:{self.ports['bus']}",
            "@jobs:6379": f"@127.0.0.1:{self.ports['jobs']}",
            "http://control:8000": f"http://127.0.0.1:{self.ports['control']}",
            "http://127.0.0.1:8101": f"http://127.0.0.1:{self.ports['node1']}",
            "http://127.0.0.1:8102": f"http://127.0.0.1:{self.ports['node2']}",
            "0.0.0.0": "127.0.0.1",
            "/opt/natter": str(ROOT),
            "/var/lib/natter": str(self.folder / "volumes"),
            "/tmp/worker.ready": str(self.folder / "tmp" / "worker.ready"),
        }
        for container, here in replaced.items():
            text = text.replace(container, here)
        return text

    def _says_pong(self, port: int, password: str) -> bool:
        import redis

        try:
            with redis.Redis(port=port, password=password, socket_connect_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def command_lines() -> str:
    """What anybody on the machine can read of all processes."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except OSError:
            continue
    return b"\n".join(lines).decode(errors="replace")


def of(process: "subprocess.Popen[bytes]") -> dict[str, str]:
    """A process's environment as it really is."""
    pairs = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    return dict(pair.decode().split("=", 1) for pair in pairs if pair) if os.name == "posix" else {}
