"""Products, prices, coupons and promotion codes."""

from decimal import Decimal
from typing import Any

from ops.stripe_sim.errors import invalid
from ops.stripe_sim.forms import flag, merged, metadata, moment, number, one_of, require, text, whole
from ops.stripe_sim.routing import CREATED, INCLUDABLE, PAGE, listed, route, searched
from ops.stripe_sim.sim import Sim
from ops.stripe_sim.store import Thing

_SEARCH = {"query": text, "limit": whole, "page": text}

# -- products --------------------------------------------------------------------------------------------------------

_PRODUCT = {
    "name": text,
    "active": flag,
    "description": text,
    "metadata": metadata,
    "images": [text],
    "statement_descriptor": text,
    "unit_label": text,
    "url": text,
    "tax_code": text,
    "shippable": flag,
    "default_price": text,
    "marketing_features": [{"name": text}],
}


@route("POST", "/v1/products", _PRODUCT | {"id": text, "type": one_of("service", "good")})
def create_product(sim: Sim, p: Thing) -> Thing:
    require(p, "name")
    if p.get("id") and sim.store.get("product", p["id"]):
        raise invalid(f"Product already exists: {p['id']}", code="resource_already_exists", param="id")
    product = sim.add(
        "product",
        "prod",
        id=p.get("id"),
        active=p.get("active", True),
        default_price=None,
        description=p.get("description"),
        images=p.get("images") or [],
        marketing_features=p.get("marketing_features") or [],
        metadata=p.get("metadata") or {},
        name=p["name"],
        package_dimensions=None,
        shippable=p.get("shippable"),
        statement_descriptor=p.get("statement_descriptor"),
        tax_code=p.get("tax_code"),
        type=p.get("type", "service"),
        unit_label=p.get("unit_label"),
        updated=sim.now(),
        url=p.get("url"),
    )
    sim.emit("product.created", product)
    return product


@route("POST", "/v1/products/{id}", _PRODUCT)
def update_product(sim: Sim, p: Thing, identity: str) -> Thing:
    product = sim.need("product", identity)
    if "metadata" in p:
        p["metadata"] = merged(product["metadata"], p["metadata"])
    if p.get("default_price"):
        sim.need("price", p["default_price"], "default_price")
    product |= p | {"updated": sim.now()}
    sim.emit("product.updated", product)
    return product


@route("GET", "/v1/products/{id}")
def retrieve_product(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("product", identity)


@route("GET", "/v1/products", PAGE | CREATED | {"active": flag, "ids": [text], "type": text, "url": text})
def list_products(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("active", "type", "url") if name in p}
    found = [each for each in sim.store.all("product", **equal) if not p.get("ids") or each["id"] in p["ids"]]
    return listed(found, p, "/v1/products")


@route("GET", "/v1/products/search", _SEARCH)
def search_products(sim: Sim, p: Thing) -> Thing:
    return searched(sim.store.all("product"), p, "/v1/products/search")


@route("DELETE", "/v1/products/{id}")
def delete_product(sim: Sim, p: Thing, identity: str) -> Thing:
    product = sim.need("product", identity)
    if next(sim.store.all("price", product=identity), None):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    sim.store.remove(product)
    sim.emit("product.deleted", product)
    return {"id": identity, "object": "product", "deleted": True}


# -- prices ----------------------------------------------------------------------------------------------------------

_TIER = {
    "up_to": text,
    "unit_amount": whole,
    "unit_amount_decimal": number,
    "flat_amount": whole,
    "flat_amount_decimal": number,
}
_PRICE = {
    "active": flag,
    "nickname": text,
    "metadata": metadata,
    "lookup_key": text,
    "transfer_lookup_key": flag,
    "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
}


@route(
    "POST",
    "/v1/prices",
    _PRICE
    | {
        "currency": text,
        "product": text,
        "product_data": {"name": text, "id": text, "metadata": metadata, "unit_label": text},
        "unit_amount": whole,
        "unit_amount_decimal": number,
        "recurring": {
            "interval": one_of("day", "week", "month", "year"),
            "interval_count": whole,
            "usage_type": one_of("licensed", "metered"),
            "meter": text,
            "trial_period_days": whole,
        },
        "billing_scheme": one_of("per_unit", "tiered"),
        "tiers": [_TIER],
        "tiers_mode": one_of("graduated", "volume"),
        "transform_quantity": {"divide_by": whole, "round": one_of("up", "down")},
    },
)
def create_price(sim: Sim, p: Thing) -> Thing:
    require(p, "currency")
    if p.get("product_data"):
        product = create_product(sim, p["product_data"])["id"]
    else:
        require(p, "product")
        product = sim.need("product", p["product"], "product")["id"]
    tiered = p.get("billing_scheme") == "tiered"
    if tiered != bool(p.get("tiers")) or tiered != bool(p.get("tiers_mode")):
        raise invalid("`tiers` and `tiers_mode` go with `billing_scheme=tiered`, and with nothing else.", param="tiers")
    if tiered and p.get("transform_quantity"):
        raise invalid("`transform_quantity` cannot be combined with `tiers`.", param="transform_quantity")
    amount = _decimal(p, "unit_amount")
    if tiered != (amount is None):
        raise invalid("Give `unit_amount` or `unit_amount_decimal`, unless the price has tiers.", param="unit_amount")
    price = sim.add(
        "price",
        "price",
        active=p.get("active", True),
        billing_scheme="tiered" if tiered else "per_unit",
        currency=p["currency"].lower(),
        custom_unit_amount=None,
        lookup_key=None,
        metadata=p.get("metadata") or {},
        nickname=p.get("nickname"),
        product=product,
        recurring=_recurring(sim, p["recurring"]) if p.get("recurring") else None,
        tax_behavior=p.get("tax_behavior", "unspecified"),
        tiers_mode=p.get("tiers_mode"),
        transform_quantity=p.get("transform_quantity"),
        type="recurring" if p.get("recurring") else "one_time",
        unit_amount=_whole(amount),
        unit_amount_decimal=_words(amount),
        _tiers=_tiers(p["tiers"]) if tiered else None,
    )
    _take_lookup_key(sim, price, p)
    sim.emit("price.created", price)
    return price


def _recurring(sim: Sim, given: Thing) -> Thing:
    require(given, "interval")
    metered = given.get("usage_type") == "metered"
    if metered != bool(given.get("meter")):
        raise invalid("A metered price needs a meter, and only a metered price has one.", param="recurring[meter]")
    if metered:
        sim.need("billing.meter", given["meter"], "recurring[meter]")
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count") or 1,
        "meter": given.get("meter"),
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": "metered" if metered else "licensed",
    }


def _tiers(given: list[Thing]) -> list[Thing]:
    result, below = [], 0
    for index, tier in enumerate(given):
        last = index == len(given) - 1
        top = tier.get("up_to")
        if (top == "inf") != last or (not last and not (str(top).isdigit() and int(str(top)) > below)):
            raise invalid("Tiers rise, and the last one's `up_to` is `inf`.", param=f"tiers[{index}][up_to]")
        below = 0 if last else int(str(top))
        unit, flat = _decimal(tier, "unit_amount"), _decimal(tier, "flat_amount")
        if unit is None and flat is None:
            raise invalid("A tier has a unit amount or a flat amount.", param=f"tiers[{index}]")
        result.append(
            {
                "flat_amount": _whole(flat),
                "flat_amount_decimal": _words(flat),
                "unit_amount": _whole(unit),
                "unit_amount_decimal": _words(unit),
                "up_to": None if last else below,
            }
        )
    return result


def _decimal(given: Thing, name: str) -> Decimal | None:
    if given.get(name) is not None and given.get(f"{name}_decimal") is not None:
        raise invalid(f"Give {name} or {name}_decimal, not both.", param=name)
    value = given.get(name) if given.get(name) is not None else given.get(f"{name}_decimal")
    if value is None:
        return None
    amount = Decimal(value)
    if amount < 0:
        raise invalid(f"Invalid {name}: must be greater than or equal to 0.", param=name)
    return amount


def _whole(amount: Decimal | None) -> int | None:
    return int(amount) if amount is not None and amount == amount.to_integral_value() else None


def _words(amount: Decimal | None) -> str | None:
    if amount is None:
        return None
    words = f"{amount:f}"
    return words.rstrip("0").rstrip(".") if "." in words else words


def _take_lookup_key(sim: Sim, price: Thing, p: Thing) -> None:
    key = p.get("lookup_key")
    if "lookup_key" not in p:
        return
    holder = next(sim.store.all("price", lookup_key=key), None) if key else None
    if holder is not None and holder["id"] != price["id"]:
        if not p.get("transfer_lookup_key"):
            raise invalid(
                f"A price (`{holder['id']}`) already uses that lookup key. "
                "Set `transfer_lookup_key=true` to transfer it to the new price.",
                param="lookup_key",
            )
        holder["lookup_key"] = None
        sim.emit("price.updated", holder)
    price["lookup_key"] = key


@route("POST", "/v1/prices/{id}", _PRICE)
def update_price(sim: Sim, p: Thing, identity: str) -> Thing:
    price = sim.need("price", identity)
    _take_lookup_key(sim, price, p)
    if "metadata" in p:
        price["metadata"] = merged(price["metadata"], p["metadata"])
    for name in ("active", "nickname", "tax_behavior"):
        if name in p:
            price[name] = p[name]
    sim.emit("price.updated", price)
    return price


@route("GET", "/v1/prices/{id}")
def retrieve_price(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("price", identity)


@route(
    "GET",
    "/v1/prices",
    PAGE
    | CREATED
    | {
        "active": flag,
        "currency": text,
        "lookup_keys": [text],
        "product": text,
        "type": text,
        "recurring": {"interval": text, "meter": text, "usage_type": text},
    },
)
def list_prices(sim: Sim, p: Thing) -> Thing:
    equal = {name: p[name] for name in ("active", "currency", "product", "type") if name in p}
    found: list[Thing] = list(sim.store.all("price", **equal))
    if "lookup_keys" in p:
        found = [each for each in found if each["lookup_key"] in p["lookup_keys"]]
    for name, value in (p.get("recurring") or {}).items():
        found = [each for each in found if each["recurring"] and each["recurring"][name] == value]
    return listed(found, p, "/v1/prices")


@route("GET", "/v1/prices/search", _SEARCH)
def search_prices(sim: Sim, p: Thing) -> Thing:
    return searched(sim.store.all("price"), p, "/v1/prices/search")


INCLUDABLE["price", "tiers"] = lambda sim, price: price.get("_tiers")


def plan_of(price: Thing) -> Thing:
    """The price in its older form, which subscription items still carry."""
    recurring: Any = price["recurring"]
    package = price["transform_quantity"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": package,
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }


# -- coupons and promotion codes ---------------------------------------------------------------------------------------


@route(
    "POST",
    "/v1/coupons",
    {
        "id": text,
        "name": text,
        "percent_off": number,
        "amount_off": whole,
        "currency": text,
        "duration": one_of("forever", "once", "repeating"),
        "duration_in_months": whole,
        "max_redemptions": whole,
        "redeem_by": moment,
        "applies_to": {"products": [text]},
        "metadata": metadata,
    },
)
def create_coupon(sim: Sim, p: Thing) -> Thing:
    if (p.get("percent_off") is None) == (p.get("amount_off") is None):
        raise invalid("Give percent_off or amount_off.", param="percent_off")
    if p.get("amount_off") is not None:
        require(p, "currency")
    if p.get("percent_off") is not None and not 0 < p["percent_off"] <= 100:
        raise invalid("Invalid percent_off: must be above 0 and at most 100.", param="percent_off")
    duration = p.get("duration", "once")
    if (duration == "repeating") != bool(p.get("duration_in_months")):
        raise invalid("duration_in_months goes with duration=repeating.", param="duration_in_months")
    if p.get("id") and sim.store.get("coupon", p["id"]):
        raise invalid("Coupon already exists.", code="resource_already_exists", param="id")
    coupon = sim.add(
        "coupon",
        "coupon",
        id=p.get("id") or sim.store.new_id("x", 8)[2:],
        amount_off=p.get("amount_off"),
        currency=p["currency"].lower() if p.get("currency") else None,
        duration=duration,
        duration_in_months=p.get("duration_in_months"),
        max_redemptions=p.get("max_redemptions"),
        metadata=p.get("metadata") or {},
        name=p.get("name"),
        percent_off=float(p["percent_off"]) if p.get("percent_off") is not None else None,
        redeem_by=p.get("redeem_by"),
        times_redeemed=0,
        valid=True,
        _products=(p.get("applies_to") or {}).get("products"),
    )
    sim.emit("coupon.created", coupon)
    return coupon


INCLUDABLE["coupon", "applies_to"] = lambda sim, coupon: (
    {"products": coupon["_products"]} if coupon.get("_products") else None
)


@route("GET", "/v1/coupons/{id}")
def retrieve_coupon(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("coupon", identity)


@route("POST", "/v1/coupons/{id}", {"name": text, "metadata": metadata})
def update_coupon(sim: Sim, p: Thing, identity: str) -> Thing:
    coupon = sim.need("coupon", identity)
    if "metadata" in p:
        p["metadata"] = merged(coupon["metadata"], p["metadata"])
    coupon |= p
    sim.emit("coupon.updated", coupon)
    return coupon


@route("GET", "/v1/coupons", PAGE | CREATED)
def list_coupons(sim: Sim, p: Thing) -> Thing:
    return listed(sim.store.all("coupon"), p, "/v1/coupons")


@route("DELETE", "/v1/coupons/{id}")
def delete_coupon(sim: Sim, p: Thing, identity: str) -> Thing:
    coupon = sim.need("coupon", identity)
    sim.store.remove(coupon)
    sim.emit("coupon.deleted", coupon)
    return {"id": identity, "object": "coupon", "deleted": True}


@route(
    "POST",
    "/v1/promotion_codes",
    {
        "promotion": {"type": one_of("coupon"), "coupon": text},
        "code": text,
        "active": flag,
        "customer": text,
        "expires_at": moment,
        "max_redemptions": whole,
        "metadata": metadata,
    },
)
def create_promotion_code(sim: Sim, p: Thing) -> Thing:
    require(p, "promotion")
    coupon = sim.need("coupon", p["promotion"].get("coupon") or "", "promotion[coupon]")
    code = p.get("code") or sim.store.new_id("x", 8)[2:].upper()
    if any(each["active"] and each["code"].lower() == code.lower() for each in sim.store.all("promotion_code")):
        raise invalid("An active promotion code with that code already exists.", param="code")
    promotion = sim.add(
        "promotion_code",
        "promo",
        active=p.get("active", True),
        code=code,
        customer=p.get("customer"),
        customer_account=None,
        expires_at=p.get("expires_at"),
        max_redemptions=p.get("max_redemptions"),
        metadata=p.get("metadata") or {},
        promotion={"type": "coupon", "coupon": coupon["id"]},
        restrictions={"first_time_transaction": False, "minimum_amount": None, "minimum_amount_currency": None},
        times_redeemed=0,
    )
    sim.emit("promotion_code.created", promotion)
    return promotion


@route("GET", "/v1/promotion_codes/{id}")
def retrieve_promotion_code(sim: Sim, p: Thing, identity: str) -> Thing:
    return sim.need("promotion_code", identity)


@route("POST", "/v1/promotion_codes/{id}", {"active": flag, "metadata": metadata})
def update_promotion_code(sim: Sim, p: Thing, identity: str) -> Thing:
    promotion = sim.need("promotion_code", identity)
    if "metadata" in p:
        p["metadata"] = merged(promotion["metadata"], p["metadata"])
    promotion |= p
    sim.emit("promotion_code.updated", promotion)
    return promotion


@route("GET", "/v1/promotion_codes", PAGE | CREATED | {"active": flag, "code": text, "coupon": text, "customer": text})
def list_promotion_codes(sim: Sim, p: Thing) -> Thing:
    found: list[Thing] = list(sim.store.all("promotion_code"))
    for name in ("active", "code", "customer"):
        if name in p:
            found = [each for each in found if each[name] == p[name]]
    if "coupon" in p:
        found = [each for each in found if each["promotion"]["coupon"] == p["coupon"]]
    return listed(found, p, "/v1/promotion_codes")
