"""Two nodes of one shard on real ports, and tenants on them, with no control plane."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any

import httpx
import uvicorn
from prometheus_client import CollectorRegistry

from data_plane.node import Deps, Node
from data_plane.tenancy.copies import SnapshotCopies
from kernel.clock import SystemClock
from kernel.contracts import AppSnapshot, SecretKey, SigningKey
from kernel.db import Database
from kernel.ids import Ids
from kernel.security import keys
from kernel.security.vault import Vault
from natter import TokenSigner
from ops.entrypoints.node import server_config


@dataclass
class RunningNode:
    """A node and the server before it."""

    node: Node
    server: uvicorn.Server
    task: "asyncio.Task[None]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        await self.node.drain(2)
        self.server.should_exit = True
        await self.task
        await self.node.stop()


class Installation:
    """The nodes, and what makes tenants. Where there is a control plane, its master key is the nodes', too."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        *,
        control_url: str = "http://127.0.0.1:1",
        credential: str = "nk_none",
        master_key: str | None = None,
    ) -> None:
        self._database_url = database_url
        self._database = Database(database_url, role="natter_engine")
        self._redis_url = redis_url
        self.clock = SystemClock()
        self.ids = Ids(self.clock)
        self._control_url, self._credential = control_url, credential
        self.vault_key = master_key or Vault.generate_master_key()
        self.vault = Vault(self.vault_key)
        self.nodes: list[RunningNode] = []

    async def start_node(self, port: int) -> RunningNode:
        """One more node, as `natter node` runs it."""
        deps = Deps(
            shard_id="s0",
            node_name=f"node{len(self.nodes)}",
            database_url=self._database_url,
            redis_url=self._redis_url,
            control_url=self._control_url,
            credential=self._credential,
            public_url=f"http://127.0.0.1:{port}",
            vault=self.vault,
            clock=self.clock,
            ids=self.ids,
            registry=CollectorRegistry(),
        )
        node = Node(deps)
        await node.start()
        server = uvicorn.Server(server_config(node, "127.0.0.1", port))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        self.nodes.append(RunningNode(node, server, task, port))
        return self.nodes[-1]

    async def tenant(self, **fields: Any) -> "Tenant":
        """A new app, known to every node."""
        secret = keys.generate("sk")
        snapshot = AppSnapshot(
            app_id=self.ids.new("app"),
            organization_id=self.ids.new("org"),
            version=1,
            shard="s0",
            environment="development",
            status="active",
            publishable_keys=(keys.generate("pk"),),
            secret_keys=(SecretKey(id="key_1", digest=keys.digest(self.vault.key("secret-keys"), secret)),),
            signing_keys=(SigningKey(kid="k1", algorithm="HS256", key=token_urlsafe(32), mint=True),),
            **fields,
        )
        # As if a control plane had told the nodes: the shard's copy for those to come, memory for those that run.
        await SnapshotCopies(self._database, self.vault).save([snapshot])
        for running in self.nodes:
            running.node.snapshots.apply(snapshot)
        return Tenant(self, snapshot, secret)

    async def stop(self) -> None:
        for running in self.nodes:
            await running.stop()
        await self._database.close()


class Tenant:
    """One app: its keys, its server's REST calls, its users' tokens."""

    def __init__(self, installation: Installation, snapshot: AppSnapshot, secret_key: str) -> None:
        self._installation = installation
        self.snapshot = snapshot
        self.secret_key = secret_key
        self.publishable_key = snapshot.publishable_keys[0]
        self.http = httpx.AsyncClient(
            base_url=installation.nodes[0].url if installation.nodes else "",
            headers={"authorization": f"Bearer {secret_key}"},
            timeout=20,
            # Shorter than the server's own 5 s, or a request could meet a connection that is just being closed.
            limits=httpx.Limits(keepalive_expiry=2),
        )

    async def post(self, path: str, **body: Any) -> Any:
        """A call that must succeed."""
        answer = await self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def put(self, path: str, **body: Any) -> Any:
        """A call that must succeed."""
        answer = await self.http.put(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def channel(self, channel_id: str, *members: str) -> None:
        """A channel with members, who are made if need be."""
        await self.post("/v1/users", users=[{"id": member} for member in members])
        await self.post("/v1/channels", id=channel_id, members=list(members))

    def token(self, user_id: str, *, seconds: float = 900) -> str:
        """An access token as the customer's own server would sign it. It ended long ago when `seconds` is negative."""
        now = self._installation.clock.now() - timedelta(hours=1 if seconds < 0 else 0)
        key = self.snapshot.signing_keys[0]
        signer = TokenSigner(app_id=self.snapshot.app_id, kid=key.kid, key=key.key, now=now.timestamp)
        return signer.sign(user_id, expires_in=abs(seconds))

    async def close(self) -> None:
        await self.http.aclose()
