"""Documentation pages: open to everybody, whole without scripts."""

import json
import re

from playwright.async_api import expect

from data_plane.reference import openapi_document
from tests.portal.conftest import Tab
from tests.portal.harness import Portal


async def test_every_operation_and_schema_can_be_linked_to(shared_portal: Portal) -> None:
    client = await shared_portal.client()
    answer = await client.get("/docs/api")
    assert answer.status_code == 200
    document = json.loads(openapi_document())
    wanted = {
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
        if "operationId" in operation
    }
    wanted |= {f"schema-{name}" for name, schema in document["components"]["schemas"].items() if "properties" in schema}
    anchors = re.findall(r'id="([^"]+)"', answer.text)
    assert wanted <= set(anchors)
    assert [anchor for anchor in anchors if anchors.count(anchor) > 1] == [], "an anchor leads to one place"


async def test_every_link_inside_leads_somewhere(shared_portal: Portal) -> None:
    client = await shared_portal.client()
    pages = {path: (await client.get(path)).text for path in ("/docs/api", "/docs/realtime", "/docs/errors")}
    anchors = {path: set(re.findall(r'id="([^"]+)"', text)) for path, text in pages.items()}
    broken = []
    for path, text in pages.items():
        for target, place in re.findall(r'href="(/docs/\w+)?#([^"]+)"', text):
            if place not in anchors.get(target or path, set()):
                broken.append((path, target, place))
        broken += [(path, link, "") for link in re.findall(r'href="([^"]+\.md[^"]*)"', text)]
    assert broken == []


async def test_the_error_table_has_an_anchor_for_each_code(shared_portal: Portal) -> None:
    client = await shared_portal.client()
    page = (await client.get("/docs/errors")).text
    for code in ("not_found", "quota_exceeded", "origin_not_allowed", "unknown_event"):
        assert f'<tr id="{code}">' in page
    assert "foreign_apps" not in page, "what nodes say to each other is not shown"
    assert "make reference" not in page


async def test_who_is_signed_in_keeps_the_way_back(shared_portal: Portal, address: object) -> None:
    somebody = await shared_portal.account(address())  # type: ignore[operator]
    await shared_portal.organization(somebody, "Readers")
    client = await shared_portal.client(somebody)
    assert "Readers" in (await client.get("/docs/api")).text
    assert "Sign in" in (await (await shared_portal.client()).get("/docs/api")).text


async def test_the_api_page_works_on_a_phone_without_scripts(tab: Tab) -> None:
    page = await tab(javascript=False, width=390)
    await page.goto("/docs/api#sendMessage")
    await expect(page.get_by_role("heading", name="Send a message")).to_be_in_viewport()
    await page.locator("#schema-Message summary").click()
    await expect(page.locator("#schema-Message .fields")).to_be_visible()
    for path in ("/docs/api", "/docs/realtime", "/docs/errors"):
        await page.goto(path)
        box = await page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= 390


async def test_nothing_scrolls_sideways(tab: Tab) -> None:
    page = await tab(width=390)
    for path in ("/docs/api", "/docs/realtime", "/docs/errors"):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
