"""The plan file says what the price list says, and a wrong one stops the process with a reason."""

from pathlib import Path

import pytest

from billing.plans import PlanFileError, load_catalog
from billing.plans.catalog import DEFAULT_FILE
from kernel.errors import InvalidInput

TEXT = DEFAULT_FILE.read_text()


def test_the_plans_are_those_of_the_price_list() -> None:
    catalog = load_catalog()
    terms = {
        plan_id: tuple(
            getattr(catalog.newest(plan_id), meter).included
            for meter in ("mau", "peak_connections", "messages", "storage_bytes")
        )
        for plan_id in catalog.ids()
    }
    assert terms == {
        "free": (1_000, 100, 200_000, 10**9),
        "starter": (10_000, 500, 3_000_000, 50 * 10**9),
        "growth": (50_000, 2_500, 20_000_000, 500 * 10**9),
        "enterprise": (None, None, None, None),
    }
    assert [catalog.newest(plan_id).price for plan_id in catalog.ids()] == [0, 9_900, 39_900, None]
    assert {grant.over for grant in catalog.newest("free").grant().grants} == {"stop"}
    for plan_id in ("starter", "growth"):
        plan = catalog.newest(plan_id)
        prices = [plan.mau.overage, plan.peak_connections.overage, plan.messages.overage, plan.storage_bytes.overage]
        assert [(p.price, p.per) for p in prices if p] == [(2, 1), (20, 1), (200, 1_000_000), (5, 10**9)]
    with pytest.raises(InvalidInput):
        catalog.newest("gold")


def test_an_app_keeps_its_version_when_a_newer_one_comes(tmp_path: Path) -> None:
    dearer = TEXT[TEXT.index('[[plans]]\nid = "starter"') : TEXT.index('[[plans]]\nid = "growth"')]
    file = tmp_path / "plans.toml"
    file.write_text(TEXT + dearer.replace("version = 1", "version = 2").replace("9_900", "12_900"))

    catalog = load_catalog(file)

    assert catalog.newest("starter").price == 12_900
    assert catalog.get("starter", 1).price == 9_900
    with pytest.raises(InvalidInput):
        catalog.get("starter", 3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("included = 1_000,", "includes = 1_000,", "includes"),
        ('over = "stop"', 'over = "block"', "block"),
        ("included = 1_000,", "included = -1,", "negative"),
        ("included = 1_000,", "", "unlimited"),
        ("price = 9_900", "price = -1", "negative"),
        ("price = 9_900", "price = 99.0", "int"),
        (", overage = { price = 2, per = 1 }", "", "overage"),
        ("per = 1_000_000", "per = 0", "1 unit or more"),
        ("price = 2, per", "price = -2, per", "0 or more"),
        ('id = "free"\nversion = 1', 'id = "free"\nversion = 2', "without gap"),
        ('id = "free"', 'id = "gratis"', "free"),
        ('id = "growth"', 'id = "starter"', "repetition"),
        ('currency = "usd"', 'currency = "$"', "currency"),
        ('currency = "usd"', "", "currency"),
        ("mau = { included = 1_000", "mauu = { included = 1_000", "mau"),
        ('over = "stop" }', 'over = "stop", overage = { price = 1, per = 1 } }', "instead of"),
        ('[[plans]]\nid = "free"', '[[plans\nid = "free"', "line"),
    ],
)
def test_a_wrong_plan_file_is_refused_with_its_reason(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in TEXT
    file = tmp_path / "plans.toml"
    file.write_text(TEXT.replace(old, new, 1))

    with pytest.raises(PlanFileError, match=r"plans\.toml") as caught:
        load_catalog(file)
    assert reason in caught.value.message.replace(str(file), "")


def test_a_missing_plan_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match=r"none\.toml"):
        load_catalog(tmp_path / "none.toml")
