"""Pictures of every page, to be looked at: light and dark, 390 and 1,280 pixels wide, empty, failing and full.

    .venv/bin/python -m tests.portal.screens FOLDER [words that a picture's name holds …]

It starts engines of its own and takes minutes. Pages of apps and of the documentation add theirs in `SCENES`.
"""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page

from kernel.clock import SystemClock
from ops.ports import free_port
from tests.engines import Engines, reachable_folder
from tests.portal.browser import chromium, sign_in
from tests.portal.harness import Portal, Somebody, portal_deps, serve

Act = Callable[[Page], Awaitable[object]]
WIDTHS = (1280, 390)
THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Shot:
    """One page in one state. `act` brings it there once it is loaded."""

    name: str
    path: str
    who: Somebody | None = None
    act: Act | None = None
    cookies: tuple[tuple[str, str], ...] = ()
    settled: bool = True
    """`False` for a page that waits for an answer in its picture."""


Scene = Callable[[Portal], Awaitable[list[Shot]]]


async def take(portal: Portal, browser: Browser, shots: list[Shot], folder: Path) -> None:
    """Write `name-width-theme.png` for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for shot in shots:
        for width in WIDTHS:
            for theme in THEMES:
                await _one(portal, browser, shot, folder / f"{shot.name}-{width}-{theme}.png", width, theme)


async def _one(portal: Portal, browser: Browser, shot: Shot, file: Path, width: int, theme: str) -> None:
    context = await browser.new_context(
        base_url=portal.url,
        viewport={"width": width, "height": 800},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        device_scale_factor=1,
    )
    context.set_default_timeout(10_000)
    if shot.who is not None:
        await sign_in(context, portal, shot.who)
    for name, value in shot.cookies:
        await context.add_cookies([{"name": name, "value": value, "url": portal.url}])
    page = await context.new_page()
    await page.goto(shot.path)
    if shot.act is not None:
        await shot.act(page)
    if shot.settled:
        await page.wait_for_load_state("networkidle")
    sideways = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    if sideways:
        print(f"{file.name} scrolls sideways")
    await page.screenshot(path=file, full_page=True)
    await context.close()


async def main(folder: Path, words: list[str]) -> None:
    from tests.portal.scenes import SCENES

    engines = Engines(reachable_folder(in_memory=True))
    engines.start_postgres()
    try:
        async with chromium() as browser:
            for scene in SCENES:
                database = await engines.fresh_database("control")
                deps = portal_deps(database.url, free_port(), SystemClock())
                async with serve(deps, database.superuser_url) as portal:
                    shots = await scene(portal)
                    wanted = [shot for shot in shots if not words or any(word in shot.name for word in words)]
                    await take(portal, browser, wanted, folder)
    finally:
        engines.stop()
        shutil.rmtree(engines.folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
