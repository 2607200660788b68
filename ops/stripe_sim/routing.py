"""The table of routes, lists with pages, search, and `expand[]`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from ops.stripe_sim.errors import Unfit, invalid, missing
from ops.stripe_sim.forms import Spec, text, whole
from ops.stripe_sim.sim import Sim, outside
from ops.stripe_sim.store import Thing

Handler = Callable[..., Thing]
PAGE: Final[Spec] = {"limit": whole, "starting_after": text, "ending_before": text}
CREATED: Final[Spec] = {"created": {"gt": whole, "gte": whole, "lt": whole, "lte": whole}}


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    spec: Spec
    handler: Handler
    pattern: re.Pattern[str]


ROUTES: Final[list[Route]] = []


def route(method: str, path: str, spec: Spec | None = None) -> Callable[[Handler], Handler]:
    """Register a handler: `handler(sim, parameters, *parts of the path)` returns the answer."""

    def register(handler: Handler) -> Handler:
        pattern = re.compile("^" + re.sub(r"\{\w+\}", r"([^/]+)", path) + "$")
        ROUTES.append(Route(method, path, {"expand": [text]} | (spec or {}), handler, pattern))
        # A fixed address (`/v1/prices/search`) goes before one with a part to fill in (`/v1/prices/{id}`).
        ROUTES.sort(key=lambda each: each.path.count("{"))
        return handler

    return register


def match(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The route of an address. Raises Stripe's 404 for none."""
    for each in ROUTES:
        if each.method == method and (found := each.pattern.match(path)):
            return each, found.groups()
    raise Unfit(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({method}: {path}). The simulator may not have it; see docs/stripe-sim.md.",
    )


# -- lists -----------------------------------------------------------------------------------------------------------


def listed(things: Iterable[Thing], p: Thing, url: str) -> Thing:
    """A page of things, the newest first as Stripe gives them; `things` come oldest first."""
    if created := p.get("created"):
        things = [each for each in things if _within(each["created" if "created" in each else "date"], created)]
    found = list(things)[::-1]
    limit = p.get("limit") or 10
    if not 1 <= limit <= 100:
        raise invalid("Invalid limit: must be between 1 and 100.", param="limit")
    places = {each["id"]: place for place, each in enumerate(found)}
    if before := p.get("ending_before"):
        end = _place(places, before, "ending_before")
        begin = max(0, end - limit)
        return _page(found[begin:end], begin > 0, url)
    begin = _place(places, p["starting_after"], "starting_after") + 1 if p.get("starting_after") else 0
    return _page(found[begin : begin + limit], begin + limit < len(found), url)


def _place(places: dict[str, int], identity: str, param: str) -> int:
    if identity not in places:
        raise missing("object", identity, param)
    return places[identity]


def _page(data: list[Thing], more: bool, url: str) -> Thing:
    return {"object": "list", "url": url, "has_more": more, "data": data}


def whole_list(data: list[Thing], url: str) -> Thing:
    """A list within another object, all of it."""
    return {"object": "list", "url": url, "has_more": False, "data": data}


def _within(value: int, bounds: Thing) -> bool:
    return (
        value > bounds.get("gt", -1)
        and value >= bounds.get("gte", 0)
        and (bounds.get("lt") is None or value < bounds["lt"])
        and (bounds.get("lte") is None or value <= bounds["lte"])
    )


# -- search ----------------------------------------------------------------------------------------------------------

_CLAUSE: Final = re.compile(
    r"""\s*(?P<not>-)?(?P<field>\w+(?:\.\w+)*)(?:\[(?P<q>['"])(?P<key>.*?)(?P=q)\])?\s*(?P<op>[:~]|[<>]=?)\s*"""
    r"""(?:(?P<w>['"])(?P<words>.*?)(?P=w)|(?P<bare>[\w.-]+))\s*(?P<and>AND|OR|$)""",
    re.IGNORECASE,
)


def searched(things: Iterable[Thing], p: Thing, url: str) -> Thing:
    """Things that fit `query`: clauses `field:'value'`, `metadata['key']:'value'`, joined by AND or by OR.

    Stripe's own index lags by up to a minute; this one does not.
    """
    query = p.get("query") or ""
    clauses, joins, place = [], set(), 0
    while place < len(query):
        found = _CLAUSE.match(query, place)
        if not found:
            raise invalid(f"We could not parse your search query: {query}", param="query")
        clauses.append(found)
        if found["and"]:
            joins.add(found["and"].upper())
        place = found.end()
    if not clauses or len(joins) > 1:
        raise invalid("A search query has clauses joined by AND, or by OR, but not by both.", param="query")
    how = any if joins == {"OR"} else all
    hits = [each for each in things if how(_fits(each, clause) for clause in clauses)][::-1]
    limit = p.get("limit") or 10
    begin = int(p.get("page") or 0)
    more = begin + limit < len(hits)
    return {
        "object": "search_result",
        "url": url,
        "has_more": more,
        "data": hits[begin : begin + limit],
        "next_page": str(begin + limit) if more else None,
    }


def _fits(thing: Thing, clause: re.Match[str]) -> bool:
    value: Any = thing
    for name in clause["field"].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if clause["key"] is not None:
        value = (value or {}).get(clause["key"])
    wanted = clause["words"] if clause["words"] is not None else clause["bare"]
    if isinstance(value, bool):
        value = str(value).lower()
    if value is None:
        hit = wanted.lower() == "null"
    elif clause["op"] == "~":
        hit = wanted.lower() in str(value).lower()
    elif clause["op"] == ":":
        hit = wanted.lower() == str(value).lower()
    else:
        bound = float(wanted)
        hit = {"<": value < bound, ">": value > bound, "<=": value <= bound, ">=": value >= bound}[clause["op"]]
    return hit != bool(clause["not"])


# -- expand ----------------------------------------------------------------------------------------------------------

_KINDS: Final = {
    "cus": "customer",
    "prod": "product",
    "price": "price",
    "sub": "subscription",
    "sub_sched": "subscription_schedule",
    "in": "invoice",
    "ii": "invoiceitem",
    "pm": "payment_method",
    "pi": "payment_intent",
    "seti": "setup_intent",
    "ch": "charge",
    "di": "discount",
    "promo": "promotion_code",
    "clock": "test_helpers.test_clock",
    "bpc": "billing_portal.configuration",
    "cs": "checkout.session",
    "cbtxn": "customer_balance_transaction",
}
Included = Callable[[Sim, Thing], Any]
INCLUDABLE: Final[dict[tuple[str, str], Included]] = {}
"""Fields that are there only when they are asked for, with what makes them."""


def rendered(sim: Sim, answer: Thing, paths: Iterable[str]) -> Thing:
    """The answer as the caller sees it, with what it wants expanded."""
    result = outside(answer)
    if answer.get("object") in ("list", "search_result") and answer.get("data"):
        result["data"] = [outside(each) for each in answer["data"]]
    for path in paths:
        _expand(sim, result, path.split("."), path)
    assert isinstance(result, dict)
    return result


def _expand(sim: Sim, where: Any, path: list[str], whole_path: str) -> None:
    if isinstance(where, list):
        for each in where:
            _expand(sim, each, path, whole_path)
        return
    if not isinstance(where, dict):
        return
    name, *rest = path
    include = INCLUDABLE.get((where.get("object", ""), name))
    if include is not None:
        thing = sim.store.get(where["object"], where["id"])
        where[name] = outside(include(sim, thing or where))
    elif name not in where:
        raise invalid(f"This property cannot be expanded ({whole_path}).", param="expand")
    elif isinstance(where[name], str):
        where[name] = _fetched(sim, where[name], whole_path)
    elif isinstance(where[name], list):
        where[name] = [_fetched(sim, each, whole_path) if isinstance(each, str) else each for each in where[name]]
    if rest:
        _expand(sim, where[name], rest, whole_path)


def _fetched(sim: Sim, identity: str, path: str) -> Thing:
    prefix = identity.rpartition("_")[0].removesuffix("_test")
    for kind in (_KINDS.get(prefix), "coupon", "product"):
        if kind is not None and (thing := sim.store.get(kind, identity)) is not None:
            result = outside(thing)
            assert isinstance(result, dict)
            return result
    raise invalid(f"This property cannot be expanded ({path}).", param="expand")
