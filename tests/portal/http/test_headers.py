"""What every answer carries, and who may read it."""

import gzip
from collections.abc import Callable

import httpx
import pytest

from tests.engines import Engines
from tests.portal.apps.forms import submit
from tests.portal.harness import PASSWORD, Portal, portal_deps, serve, with_settings
from tests.portal.pages import FILES, furnish, page_routes, path_of

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
OTHER_POLICIES = {"/outbox/{mail_id}", "/outbox/{mail_id}/body", "/apps/{app_id}/demo"}


async def test_every_page_has_them(shared_portal: Portal, address: Callable[[], str]) -> None:
    house = await furnish(shared_portal, address, "Analytical Engines")
    client = await shared_portal.client(house.owner)
    for route in [*page_routes(shared_portal.app), *FILES, "/nothing"]:
        answer = await client.get(path_of(route, house))
        policy = answer.headers["content-security-policy"]
        if route not in OTHER_POLICIES:
            assert policy == STRICT, route
        assert "script-src 'unsafe" not in policy, route
        assert answer.headers["x-content-type-options"] == "nosniff", route
        assert answer.headers["referrer-policy"] == "same-origin", route
        assert answer.headers["cross-origin-opener-policy"] == "same-origin", route
        assert "camera=()" in answer.headers["permissions-policy"], route
        assert answer.headers["cache-control"] == "no-store", route
        assert answer.headers["x-request-id"], route
        assert "access-control-allow-origin" not in answer.headers, route
        assert "strict-transport-security" not in answer.headers, route
        for inline in ("<script>", "<style", ' style="', " onclick="):
            assert inline not in answer.text or route == "/outbox/{mail_id}/body", (route, inline)


async def test_pages_of_any_origin_read_two_things_only(shared_portal: Portal) -> None:
    client = await shared_portal.client()
    headers = {"origin": "https://shop.example"}
    for path in ("/v1/openapi.json", "/v1/locate?key=pk_nothing", "/v1/locate"):
        answer = await client.get(path, headers=headers)
        assert answer.headers["access-control-allow-origin"] == "*", path
    for path in ("/healthz", "/sign-in", "/v1/nothing", "/internal/v1/snapshots", "/nothing"):
        answer = await client.get(path, headers=headers)
        assert "access-control-allow-origin" not in answer.headers, path


async def test_over_tls_cookies_are_bound_to_the_host(engines: Engines, free_ports: Callable[[int], list[int]]) -> None:
    database = await engines.fresh_database("control")
    deps = portal_deps(database.url, free_ports(1)[0])
    # The portal stands behind something that ends TLS.
    async with serve(with_settings(deps, portal_url="https://chat.example.com/"), database.superuser_url) as portal:
        await portal.account("ada@example.com")
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{deps.settings.control_port}")
        page = await client.get("/sign-in")
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        visitor = page.headers["set-cookie"]
        assert visitor.startswith("__Host-natter_visitor=")
        token = page.text.partition('name="csrf" value="')[2][:64]
        answer = await client.post(
            "/sign-in",
            data={"csrf": token, "email": "ada@example.com", "password": PASSWORD},
            headers={"cookie": visitor.partition(";")[0], "origin": "https://chat.example.com"},
        )
        assert answer.status_code == 303, answer.text
        cookie = next(line for line in answer.headers.get_list("set-cookie") if "natter_session" in line)
        assert cookie.startswith("__Host-natter_session=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        await client.aclose()
    await engines.drop_database(database)


async def test_cookies_are_hidden_from_scripts(portal: Portal) -> None:
    await portal.account("ada@example.com")
    client = await portal.client()
    answer = await submit(client, "/sign-in", "/sign-in", {"email": "ada@example.com", "password": PASSWORD})
    cookie = next(line for line in answer.headers.get_list("set-cookie") if "natter_session" in line)
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={14 * 86_400}"} <= set(cookie.split("; "))


async def test_a_page_that_needs_no_form_sets_no_cookie(shared_portal: Portal) -> None:
    assert "set-cookie" not in (await (await shared_portal.client()).get("/nothing")).headers


class TestStaticFiles:
    async def test_they_are_kept_for_ever_under_their_content(self, shared_portal: Portal) -> None:
        client = await shared_portal.client()
        page = (await client.get("/sign-in")).text
        path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
        answer = await client.get(path)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"].startswith("text/css")
        assert answer.headers["content-encoding"] == "gzip"
        assert "--accent" in answer.text
        plain = await client.get(path, headers={"accept-encoding": "identity"})
        assert plain.text == answer.text
        assert len(gzip.compress(plain.content)) < len(plain.content) / 3

    async def test_an_old_address_gets_the_new_file_for_now(self, shared_portal: Portal) -> None:
        answer = await (await shared_portal.client()).get("/static/0123456789abcdef/natter.css")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize("path", ["nothing.css", "../app.py", "%2e%2e/app.py", "..%2f..%2fpyproject.toml", ""])
    async def test_nothing_else_is_served(self, shared_portal: Portal, path: str) -> None:
        assert (await (await shared_portal.client()).get(f"/static/x/{path}")).status_code == 404

    async def test_libraries_stand_beside_their_licences(self, shared_portal: Portal) -> None:
        client = await shared_portal.client()
        for name in ("htmx", "socket.io"):
            answer = await client.get(f"/static/x/vendor/{name}.LICENSE.txt")
            assert answer.status_code == 200
            assert "Permission" in answer.text
