"""The code in the guides runs, block after block, against a real node."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.clients.installation import Installation, Tenant
from tests.engines import Engines

FOLDER = Path(__file__).parents[2] / "docs" / "guides"
OWN_TESTS = {
    "configuration": "ops/test_app_config.py",
    "javascript": "sdk/js/test_guide.py",
    "limits": "data_plane/limits/test_guide.py",
    "python": "sdk/python/test_guide.py",
    "seed": "ops/test_seed.py",
}
"""Guides whose code wants an app of a special kind, by the test that runs them."""
GUIDES = [page for page in sorted(FOLDER.glob("*.md")) if page.stem not in OWN_TESTS]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
async def installation(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Installation]:
    """A node for all guides."""
    database = await engines.fresh_database("chat")
    installation = Installation(database.url, engines.redis_url)
    await (await installation.tenant()).close()  # nodes without a control plane start from the shard's copies
    await installation.start_node(free_ports(1)[0])
    yield installation
    await installation.stop()
    await engines.drop_database(database)


@pytest.fixture
async def tenant(installation: Installation) -> AsyncIterator[Tenant]:
    """An app for the guide alone."""
    tenant = await installation.tenant(guests=True, anonymous=True)
    yield tenant
    await tenant.close()


def blocks(text: str) -> list[str]:
    """The Python in a page, each block with as many empty lines before it as makes its errors name the page's line."""
    return ["\n" * text[: found.start(1)].count("\n") + found[1] for found in _BLOCK.finditer(text)]


def run(page: Path, given: dict[str, object]) -> int:
    """Run a page's blocks in one namespace; how many there were."""
    found = blocks(page.read_text())
    for block in found:
        exec(compile(block, str(page), "exec"), given)
    return len(found)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
async def test_a_guides_code_runs(page: Path, tenant: Tenant) -> None:
    given: dict[str, object] = {
        "URL": str(tenant.http.base_url),
        "SECRET_KEY": tenant.secret_key,
        "PUBLISHABLE_KEY": tenant.publishable_key,
    }
    assert await asyncio.to_thread(run, page, given) > 0


@pytest.mark.parametrize(("guide", "test"), OWN_TESTS.items())
def test_a_guide_with_a_test_of_its_own_has_one(guide: str, test: str) -> None:
    assert (FOLDER / f"{guide}.md").exists()
    assert f"{guide}.md" in (Path(__file__).parents[1] / test).read_text()


async def test_code_that_is_wrong_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n```python\nassert URL == 'elsewhere'\n```\n")
    with pytest.raises(AssertionError):
        run(page, {"URL": "here"})
