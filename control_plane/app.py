"""The control plane as a Litestar application."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.types import ControllerRouterHandler, ExceptionHandler

from control_plane.context import Deps
from control_plane.credentials.guard import provide_credential
from control_plane.health import healthz, metrics, readyz
from control_plane.housekeeping import Housekeeper
from control_plane.keys.leaks import LEAK_ROUTES
from control_plane.keys.leaks.github import GithubKeys
from control_plane.locate.routes import locate_app
from control_plane.organizations.erasure import MayErase
from control_plane.snapshots.routes import pull_snapshots
from control_plane.snapshots.watcher import VersionWatcher
from kernel.http import build_app
from kernel.http.problems import render_problem

__all__ = ["Deps", "create_app"]


def create_app(
    deps: Deps,
    *,
    routes: Sequence[ControllerRouterHandler] = (),
    dependencies: Mapping[str, Provide] | None = None,
    lifespan: Sequence[Callable[[Litestar], Any]] = (),
    may_erase: MayErase,
    render_error: "ExceptionHandler[Any]" = render_problem,
) -> Litestar:
    """The control plane's own routes and what the layers above it add; `render_error` answers every failure,
    `may_erase` says of an organization that is due whether its words may go.

    Call `app.state.drain()` when the process is told to stop: long polls then answer at once.
    """
    watcher = VersionWatcher(deps.database)
    github = GithubKeys(deps.settings.github_keys_url, deps.jwks, deps.clock)

    @asynccontextmanager
    async def watching(_: Litestar) -> AsyncIterator[None]:
        async with watcher.running():
            yield

    @asynccontextmanager
    async def keeping_house(_: Litestar) -> AsyncIterator[None]:
        async with Housekeeper(deps, may_erase=may_erase).running():
            yield

    async def provide_watcher() -> VersionWatcher:
        return watcher

    async def provide_github() -> GithubKeys:
        return github

    async def provide_deps() -> Deps:
        return deps

    app = build_app(
        routes=[healthz, readyz, metrics, locate_app, pull_snapshots, *LEAK_ROUTES, *routes],
        dependencies={
            "deps": Provide(provide_deps),
            "watcher": Provide(provide_watcher),
            "github_keys": Provide(provide_github),
            "credential": Provide(provide_credential),
            **(dependencies or {}),
        },
        clock=deps.clock,
        ids=deps.ids,
        lifespan=[watching, keeping_house, *lifespan],
        render_error=render_error,
    )
    app.state.drain = watcher.close
    return app
