"""The JavaScript SDK, built. `python -m tests.sdk.js.package` does it by hand, `… bench` measures it, too, and
`… vendor` (`make vendor`) gives the portal's demo the new file.

Nothing happens when nothing changed.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.clients import node_packages

SDK: Final = Path(__file__).parents[3] / "sdk" / "js"
VENDORED: Final = SDK.parents[1] / "portal" / "static" / "vendor" / "natter.js"
"""What the portal's demo runs on: `dist/natter.js`, committed, because the portal needs no Node.js."""


def built() -> Path:
    """The SDK's folder, with a `dist` that is of these sources."""
    sources = [SDK / "package-lock.json", SDK / "tsconfig.json", SDK / "build.mjs", *sorted(SDK.glob("src/**/*.ts"))]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = SDK / "node_modules" / ".built"  # not in `dist`, all of which is packed
    node_packages.installed(SDK)
    with (SDK / "package.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # another run may be at it
        if not stamp.exists() or stamp.read_text() != wanted or not (SDK / "dist" / "index.js").exists():
            subprocess.run([node_packages.NODE, "build.mjs"], cwd=SDK, env=node_packages.environment(), check=True)
            stamp.write_text(wanted)
    return SDK


if __name__ == "__main__":
    built()
    if sys.argv[1:] == ["vendor"]:
        shutil.copyfile(SDK / "dist" / "natter.js", VENDORED)
    if sys.argv[1:] == ["bench"]:
        subprocess.run([node_packages.NODE, "bench.mjs"], cwd=SDK, check=True)
