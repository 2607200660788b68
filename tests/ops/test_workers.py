"""The parent of a node's workers: what it refuses to start, and how it says so."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

from kernel.security.vault import Vault
from kernel.settings import Settings, ShardSettings
from ops.environment import environment_of


async def natter_node(tmp_path: Path, **settings: Any) -> tuple[int, str]:
    """Run `natter node` until it ends; its code and what it said."""
    shard = ShardSettings(
        id="s0", database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="redis://127.0.0.1:1/0"
    )
    wanted = Settings(
        data_dir=tmp_path, master_key=Vault.generate_master_key(), shards=(shard,), node_name="n", credential="nk_x",
        **settings,
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.cli", "node", env=environment_of(wanted), cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_second_node_on_the_same_port_is_refused_though_workers_share_theirs(
    tmp_path: Path, free_ports: Any
) -> None:
    (port,) = free_ports(1)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        code, said = await natter_node(tmp_path, workers=2, node_port=port)
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in said


async def test_workers_that_cannot_start_end_the_node_and_leave_nothing_behind(tmp_path: Path, free_ports: Any) -> None:
    before = set(Path("/tmp").glob("natter-node-*"))
    code, said = await natter_node(tmp_path, workers=2, node_port=free_ports(1)[0])
    assert code == 1
    assert "No worker of the node became ready" in said
    assert "Connection refused" in said, "the worker's own words"
    assert not {path for path in set(Path("/tmp").glob("natter-node-*")) - before if path.owner() == _me()}


async def test_a_number_of_workers_that_cannot_be_is_refused(tmp_path: Path) -> None:
    for workers in (0, 65):
        code, said = await natter_node(tmp_path, workers=workers)
        assert code == 1
        assert "NATTER_WORKERS must be 1 to 64" in said


def _me() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
