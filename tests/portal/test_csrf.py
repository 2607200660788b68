"""Nothing that a page can change is changed by a request that does not come from a page of that very session."""

import secrets
from collections.abc import Callable, Iterator

import httpx
import pytest
from litestar import Litestar, post

from kernel.errors import NatterError
from portal.http.csrf import UNSAFE
from tests.invariants.rows import Digest, statement_of
from tests.portal.apps.forms import forms_of
from tests.portal.harness import Portal
from tests.portal.unsafe import CASES, Case, Scenery

FOR_PROGRAMS = ("/v1/", "/internal/", "/webhooks/")
"""Called with credentials of their own in a header, which no browser adds by itself."""


UNAUDITED = {
    "/theme": "a cookie of the browser",
    "/apps/{app_id}/demo/session": "tokens for the demo, which the node's own log tells of",
    "/apps/{app_id}/demo/conversation": "a channel for the demo, which the chat's own log tells of",
    "/v1/leaks": "the job that judges a report writes the entries; who only reports learns nothing",
    "/v1/leaks/github": "likewise",
    "/organizations/{organization_id}/billing/portal": "a way to the payment service, which keeps its own record",
    "/webhooks/stripe": "a reason to look at Stripe; what is found there writes its own entries",
    "/internal/v1/usage": "the ledger is itself the record of who reported what and when",
}
"""Routes with an unsafe method that write no audit entry, and why. Every other one is seen to write one below."""


def unsafe_routes(app: Litestar, *, of_programs: bool = False) -> Iterator[str]:
    """Every path of the running application that answers a method which may change something."""
    for route in app.routes:
        methods = {method for handler in getattr(route, "route_handlers", ()) for method in handler.http_methods}
        if methods & UNSAFE and (of_programs or not route.path_format.startswith(FOR_PROGRAMS)):
            yield route.path_format


async def everything(portal: Portal) -> Digest:
    """What no write to any table leaves alone, but for what the quota keeper does by itself meanwhile: it works off a
    list, and writes what an app is entitled to again as it was."""
    tables = await portal.sql("select tablename from pg_tables where schemaname = 'control'")
    names = {row["tablename"] for row in tables} - {"standings_due", "entitlements"}
    entitled = (
        "select 'control.entitlements', md5(string_agg(t::text, '|' order by t::text)) from control.entitlements t"
    )
    statement = statement_of({f"control.{name}": "true" for name in sorted(names)})
    rows = await portal.sql(f"{statement} union all {entitled}")
    return {row[0].partition(".")[2]: row[1] for row in rows}


async def faults(portal: Portal, case: Case, foreign_token: str) -> list[str]:
    """Send the request in every way that must be refused; what was not."""
    page = await case.client.get(case.page)
    assert page.status_code == 200, (case.page, page.status_code)
    forms = forms_of(page.text)
    found = next((form for form in forms if form.action == case.action), None)
    assert found is not None or not case.form, f"{case.page} has no form for {case.action}"
    values = {**(found.values if found else {}), **case.values}
    token = values.pop("csrf", "") or forms[0].values["csrf"]
    good = {"sec-fetch-site": "same-origin", "origin": portal.url}
    wrong = secrets.token_hex(32)
    refused: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "no token": (good, {}),
        "an empty token": (good, {"csrf": ""}),
        "a wrong token": (good, {"csrf": wrong}),
        "a wrong token in the header": ({**good, "x-csrf-token": wrong}, {}),
        "another session's token": (good, {"csrf": foreign_token}),
        "another session's token in the header": ({**good, "x-csrf-token": foreign_token}, {}),
        "from another site": ({**good, "sec-fetch-site": "cross-site"}, {"csrf": token}),
        "from a neighbour of the site": ({**good, "sec-fetch-site": "same-site"}, {"csrf": token}),
        "a foreign origin": ({**good, "origin": "https://evil.example"}, {"csrf": token}),
        "no origin": ({**good, "origin": "null"}, {"csrf": token}),
        "another port": ({**good, "origin": "http://127.0.0.1:1"}, {"csrf": token}),
    }
    before = await everything(portal)
    found_faults: list[str] = []
    for name, (headers, form) in refused.items():
        answer = await case.client.post(case.action, data={**values, **form}, headers=headers)
        if answer.status_code != 403:
            found_faults.append(f"{case.action}: {answer.status_code} for {name}")
    after = await everything(portal)
    found_faults += [f"{case.action}: {table} was changed" for table in after if after[table] != before[table]]
    answer = await case.client.post(case.action, data={**values, "csrf": token}, headers=good)
    assert answer.status_code in (200, 201, 204, 303, 409), (case.action, answer.status_code, answer.text)
    if case.changes:
        done = await everything(portal)
        assert done != before, f"{case.action} changes nothing, so refusing it proves nothing"
        if done["audit_entries"] == before["audit_entries"]:
            found_faults.append(f"{case.action}: no audit entry was written")
        elif done["audit_chain"] == before["audit_chain"]:
            found_faults.append(f"{case.action}: its audit entry is not in the chain")
    return found_faults


async def foreign_token(portal: Portal, address: Callable[[], str]) -> str:
    client = await portal.client(await portal.account(address()))
    return forms_of((await client.get("/account")).text)[0].values["csrf"]


@pytest.fixture(scope="module")
async def foreigners(shared_portal: Portal) -> str:
    """The token of somebody else's forms at the shared portal."""
    return await foreign_token(shared_portal, lambda: "foreigner@example.com")


async def test_every_unsafe_route_has_its_case(shared_portal: Portal) -> None:
    assert sorted(set(unsafe_routes(shared_portal.app))) == sorted(CASES)


async def test_every_mutating_route_writes_an_audit_entry_or_says_why_not(
    shared_portal: Portal, address: Callable[[], str]
) -> None:
    """`faults` sees each case that changes something write one; what is left is listed, and nothing is listed twice."""
    scenery = await Scenery.make(shared_portal, address)
    audited = set()
    for route, make in CASES.items():
        try:
            case = await make(scenery)
        except NatterError:  # what another case prepared stands in its way
            scenery = await Scenery.make(shared_portal, address)
            case = await make(scenery)
        if case.changes:
            audited.add(route)
    assert audited.isdisjoint(UNAUDITED)
    assert audited | set(UNAUDITED) == set(unsafe_routes(shared_portal.app, of_programs=True))


@pytest.mark.parametrize("route", sorted(CASES))
async def test_only_pages_of_the_session_can_change_something(
    shared_portal: Portal, address: Callable[[], str], route: str, foreigners: str
) -> None:
    scenery = await Scenery.make(shared_portal, address)
    case = await CASES[route](scenery)
    assert await faults(shared_portal, case, foreigners) == []


async def test_a_route_outside_the_guard_is_found(own_portal: Portal, address: Callable[[], str]) -> None:
    portal = own_portal
    scenery = await Scenery.make(portal, address)

    @post("/planted", status_code=200)
    async def planted() -> None:
        await portal.sql("update control.accounts set name = name || '!'")

    portal.app.register(planted)
    assert set(unsafe_routes(portal.app)) - set(CASES) == {"/planted"}, "the sweep sees what is registered"
    case = Case(await portal.client(scenery.owner), "/account", "/planted", form=False)
    found = await faults(portal, case, await foreign_token(portal, address))
    assert len(found) == 13
    assert found[-2:] == ["/planted: accounts was changed", "/planted: no audit entry was written"]


async def test_a_form_of_before_signing_in_is_refused_after(shared_portal: Portal, address: Callable[[], str]) -> None:
    somebody = await shared_portal.account(address())
    client = await shared_portal.client()
    form = next(form for form in forms_of((await client.get("/sign-in")).text) if form.action == "/sign-in")
    client.cookies.update(somebody.cookie)
    answer = await client.post("/sign-in", data=form.values)
    assert answer.status_code == 403
    assert "This form is out of date" in answer.text


async def test_a_page_opened_under_another_name_of_the_machine_works(shared_portal: Portal) -> None:
    host = f"localhost:{shared_portal.deps.settings.control_port}"
    client = await shared_portal.client()
    page = await client.get("/sign-in", headers={"host": host})
    form = next(form for form in forms_of(page.text) if form.action == "/sign-in")
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    answer: httpx.Response = await client.post("/sign-in", data=form.values, headers=headers)
    assert answer.status_code == 422, "the form was read, and its fields are blank"
