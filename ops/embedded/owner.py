"""Which user the engines run as, and what that user can reach.

PostgreSQL refuses to run as root, so root gives its engines to another user: the one who owns the data or the folder
around it, or else `nobody`. No user is added to the system and no folder above our own is opened.
"""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import CannotStart


@dataclass(frozen=True, slots=True)
class Owner:
    """A user and group by number."""

    uid: int
    gid: int


def engine_owner(home: Path) -> Owner | None:
    """The user for an engine that keeps its data in `home`; `None` stands for the present one."""
    if os.geteuid() != 0:
        return None
    for folder in (home, home.parent):
        if folder.exists():
            found = folder.stat()
            if found.st_uid != 0 and _is_known(found.st_uid):
                return Owner(found.st_uid, found.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise CannotStart(
            "PostgreSQL refuses to run as root, and this system has no user `nobody` to run it as.",
            "Start Natter as an ordinary user.",
        ) from error
    return Owner(nobody.pw_uid, nobody.pw_gid)


def _is_known(uid: int) -> bool:
    """Whether the system has a name for the user; initdb does not work without."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def identity(owner: Owner | None) -> dict[str, Any]:
    """The arguments of `subprocess` that run a child as this owner; none for `None`."""
    if owner is None:
        return {}
    return {"user": owner.uid, "group": owner.gid, "extra_groups": []}


def can_enter(folder: Path, owner: Owner | None) -> bool:
    """Whether the owner can pass through `folder` and all above it. Asked of the system, not worked out from modes."""
    question = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        cwd="/",
        capture_output=True,
        check=False,
        **identity(owner),
    )
    return question.returncode == 0


def own_folder(folder: Path, owner: Owner | None) -> None:
    """Make a folder that only the owner (and root) can enter. Its parent must be there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if owner is not None and folder.stat().st_uid != owner.uid:
        os.chown(folder, owner.uid, owner.gid)
