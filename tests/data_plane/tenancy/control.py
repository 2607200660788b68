"""The control plane's side of the contract, small enough to read: snapshot pages by long poll, and a ledger."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get, post

from kernel.contracts import AppSnapshot, SnapshotPage, UsageReceipt, UsageReport


@dataclass
class Control:
    """What it knows, and how it misbehaves."""

    apps: dict[str, AppSnapshot] = field(default_factory=dict)
    version: int = 0
    page: int = 200
    polls: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[tuple[str, str, int], Any] = field(default_factory=dict)
    reports: list[UsageReport] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    lose_receipts: int = 0
    status: int = 200
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, snapshot: AppSnapshot) -> AppSnapshot:
        """Commit a change of an app."""
        self.version += 1
        snapshot = msgspec.structs.replace(snapshot, version=self.version)
        self.apps[snapshot.app_id] = snapshot
        self.changed.set()
        self.changed = asyncio.Event()
        return snapshot

    def make_page(self, since: int) -> SnapshotPage:
        newer = sorted((app for app in self.apps.values() if app.version > since), key=lambda app: app.version)
        apps = tuple(newer[: self.page])
        if len(newer) > self.page:
            return SnapshotPage(version=apps[-1].version, apps=apps, has_more=True)
        return SnapshotPage(version=self.version, apps=apps)

    def app(self) -> Litestar:
        """It, as an ASGI application."""

        def answer(value: Any) -> Response[bytes]:
            return Response(msgspec.json.encode(value), media_type="application/json", status_code=200)

        @get("/internal/v1/snapshots")
        async def snapshots(request: Request[Any, Any, Any]) -> Response[bytes]:
            query = request.query_params
            self.polls.append({**query, "authorization": request.headers["authorization"]})
            if self.status != 200:
                return Response(b"{}", status_code=self.status)
            since, changed = int(query["since"]), self.changed
            page = self.make_page(since)
            if not page.apps and page.version == since:
                try:
                    async with asyncio.timeout(float(query["wait"])):
                        await changed.wait()
                except TimeoutError:
                    pass
                page = self.make_page(since)
            return answer(page)

        @post("/internal/v1/usage")
        async def usage(request: Request[Any, Any, Any]) -> Response[bytes]:
            report = msgspec.json.decode(await request.body(), type=UsageReport)
            assert len(report.rows) <= 1000
            self.reports.append(report)
            if self.status != 200:
                return Response(b"{}", status_code=self.status)
            if any(row.app_id in self.refuse for row in report.rows):
                return Response(b'{"code":"foreign_apps"}', status_code=403)
            before = len(self.ledger)
            for row in report.rows:
                self.ledger.setdefault((report.source, report.boot, row.seq), row)
            if self.lose_receipts:
                self.lose_receipts -= 1
                return Response(b"gone", status_code=502)
            return answer(UsageReceipt(fresh=len(self.ledger) - before))

        return Litestar([snapshots, usage], openapi_config=None, logging_config=None)
