"""This machine: Python, disk, programs, ports."""

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from kernel.settings import Settings
from ops.doctor.finding import Finding, bad, good, warning
from ops.embedded.programs import packaged_postgres, packaged_valkey, version_of
from ops.errors import CannotStart
from ops.installation import Runtime
from ops.ports import holder, is_free

_LITTLE_DISK: Final = 2_000_000_000
_NO_DISK: Final = 200_000_000


def check_python() -> Finding:
    """Which one runs; that it is new enough was seen to at the installation."""
    return good("python", f"{platform.python_version()} ({sys.executable})")


def check_disk(folder: Path) -> Finding:
    """Room for the data."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free / 1e9:.1f} GB free for {folder}"
    way_out = "Free some, or name a folder on another disk with NATTER_DATA_DIR."
    if free < _NO_DISK:
        return bad("disk", detail, way_out)
    return warning("disk", detail, way_out) if free < _LITTLE_DISK else good("disk", detail)


def check_programs(configured: Settings) -> Iterator[Finding]:
    """The private engines' programs, where they are needed."""
    if not configured.database_url:
        yield _check_program("postgresql program", lambda: packaged_postgres() / "postgres")
    if not configured.redis_url and not configured.shards:
        yield _check_program("valkey program", packaged_valkey)


def _check_program(what: str, find: Callable[[], Path]) -> Finding:
    try:
        program = find()
        version = version_of(program, None)
    except CannotStart as error:
        return bad(what, error.message, error.way_out)
    if version is None:
        return bad(what, f"{program} does not run", "Is the file system mounted with noexec? Install Natter elsewhere.")
    return good(what, version)


def check_ports(configured: Settings, runtime: Runtime | None) -> Iterator[Finding]:
    """The public ports are free, or Natter's own servers hold them."""
    if runtime is not None:
        own = [runtime.control_url, *(node.url for node in runtime.nodes)]
        yield good("ports", f"Natter listens: {', '.join(own)}")
        return
    for what, port in (("management", configured.control_port), ("node", configured.node_port)):
        variable = "NATTER_CONTROL_PORT" if what == "management" else "NATTER_NODE_PORT"
        try:
            if is_free(port, configured.host):
                yield good(f"{what} port", f"{port} is free")
            else:
                who = holder(port) or "another program"
                yield bad(f"{what} port", f"{port} is taken by {who}", f"End it, or choose another with {variable}.")
        except OSError as error:
            yield bad(f"{what} port", f"{configured.host}:{port}: {error.strerror}", f"Mend NATTER_HOST or {variable}.")
