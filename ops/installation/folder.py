"""The folder itself: who may read it, where the engines' data is, and the lock that one supervisor holds."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Final

from ops.embedded.owner import can_enter, engine_owner
from ops.embedded.process import give_to_owner_of
from ops.errors import CannotStart

OUTSIDE: Final = Path("/var/lib")


class Folder:
    """Paths below one installation's folder, and small files written whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.secrets = self.root / "secrets.json"
        self.runtime = self.root / "runtime.json"
        self.lock = self.root / "lock"
        self.logs = self.root / "logs"
        self._lock_descriptor: int | None = None

    def create(self) -> None:
        """Make it if it is not there. Raises `CannotStart`."""
        try:
            if not self.root.exists():
                self.root.mkdir()
                give_to_owner_of(self.root.parent, self.root)
            # As root the engines run as another user, who must pass through, but need not look around.
            if self.root.stat().st_uid == os.geteuid():
                self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            give_to_owner_of(self.root, self.logs)
        except OSError as error:
            raise CannotStart(
                f"The folder {self.root} cannot be used: {error.strerror}.",
                "Start Natter in a folder that you may write to, or name another one with NATTER_DATA_DIR.",
            ) from error

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def engines(self, installation: str, *, outside: Path = OUTSIDE) -> Path:
        """Where the engines' data goes: here, or below `outside` when the engines' user cannot come here.

        That is so when root starts Natter below a private folder such as `/root`: no folder of others is opened.
        A link `engines` here then leads there.
        """
        owner = engine_owner(self.root / "postgres")
        if owner is None or can_enter(self.root, owner):
            return self.root
        home = outside / f"natter-{installation}"
        try:
            home.mkdir(mode=0o755, exist_ok=True)
            home.chmod(0o755)
        except OSError as error:
            raise CannotStart(f"{home} cannot be made: {error.strerror}.", _OTHER_FOLDER) from error
        if not can_enter(home, owner):
            raise CannotStart(
                f"The engines' user ({owner.uid}) can reach neither {self.root} nor {home}.", _OTHER_FOLDER
            )
        link = self.root / "engines"
        if not link.is_symlink():
            link.symlink_to(home)
        return home

    def acquire(self) -> bool:
        """Take the lock for the life of this process. False when another process has it."""
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        give_to_owner_of(self.root, self.lock)
        self._lock_descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def is_locked(self) -> bool:
        """Whether a supervisor runs here."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


_OTHER_FOLDER: Final = "Name a folder that every user can reach with NATTER_DATA_DIR, say /srv/natter."


def write_private(path: Path, content: bytes) -> None:
    """Replace a file whole, readable by its owner alone; a crash leaves the old one."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        give_to_owner_of(path.parent, Path(temporary))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
