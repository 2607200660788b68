"""Money is whole numbers: what holds for every amount, stretch of time, and currency."""

import calendar
import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import amount_text, decimals, overage, parse_amount, percentage, prorate, settle
from billing.usage.periods import month_bounds

MONTHS = [f"{year}-{month:02d}" for year in (2023, 2024, 2026, 2100) for month in range(1, 13)]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]

months = st.sampled_from(MONTHS).map(month_bounds)
prices = st.integers(0, 10**9)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[tuple[datetime, datetime], list[datetime]]:
    """A month and moments in it, in order, its own ends included."""
    begin, end = draw(months)
    length = int((end - begin).total_seconds() * 1_000)
    inside = draw(st.lists(st.integers(0, length), max_size=6))
    return (begin, end), [begin + timedelta(milliseconds=one) for one in sorted([0, length, *inside])]


@given(cuts(), prices)
def test_splitting_a_month_changes_its_price_by_one_unit_a_split_at_most(
    cut: tuple[tuple[datetime, datetime], list[datetime]], price: int
) -> None:
    period, moments = cut
    parts = [prorate(price, a, b, period) for a, b in itertools.pairwise(moments)]
    assert all(0 <= part <= price for part in parts)
    assert abs(sum(parts) - price) <= len(parts) - 1


@given(months, prices)
def test_a_whole_month_costs_its_price_whatever_its_length(period: tuple[datetime, datetime], price: int) -> None:
    assert prorate(price, *period, period) == price
    assert prorate(price, period[0] - timedelta(days=9), period[1] + timedelta(days=9), period) == price
    assert prorate(price, period[1], period[1] + timedelta(days=1), period) == 0


@given(cuts(), prices, prices)
def test_an_upgrade_that_is_undone_at_once_nets_nothing(
    cut: tuple[tuple[datetime, datetime], list[datetime]], low: int, high: int
) -> None:
    period, moments = cut
    for at in moments:
        instant = (
            prorate(low, period[0], at, period) + prorate(high, at, at, period) + prorate(low, at, period[1], period)
        )
        assert abs(instant - low) <= 1


@given(st.sampled_from(ZONES), st.sampled_from([3, 10, 11]), st.integers(0, 27 * 86_400))
def test_a_stretch_costs_the_same_in_every_zone_also_where_clocks_are_moved(zone: str, month: int, second: int) -> None:
    period = month_bounds(f"2026-{month:02d}")
    begin = period[0] + timedelta(seconds=second)
    end = begin + timedelta(days=2)
    there = [moment.astimezone(ZoneInfo(zone)) for moment in (begin, end)]
    assert prorate(9_900, *there, period) == prorate(9_900, begin, end, period)


@pytest.mark.parametrize("year", [2023, 2024, 2100, 2000])
def test_a_day_of_february_costs_more_than_one_of_march(year: int) -> None:
    days = calendar.monthrange(year, 2)[1]
    begin, end = month_bounds(f"{year}-02")
    assert (end - begin).days == days
    assert prorate(29 * 28 * 100, begin, begin + timedelta(days=1), (begin, end)) == 29 * 28 * 100 // days
    assert month_bounds(f"{year}-12")[1] == datetime(year + 1, 1, 1, tzinfo=UTC)


@given(st.integers(0, 10**12), st.none() | st.integers(0, 10**12), st.integers(0, 10**6), st.integers(1, 10**9))
def test_beyond_what_is_included_every_begun_pack_is_charged(
    used: int, included: int | None, price: int, per: int
) -> None:
    charged = overage(used, included, price, per)
    if included is None or used <= included:
        assert charged == 0
    else:
        packs = charged // price if price else 0
        assert charged == packs * price
        assert not price or (packs - 1) * per < used - included <= packs * per
    assert overage(used + 1, included, price, per) >= charged


@given(
    st.integers(-(10**6), 10**9),
    st.lists(st.integers(0, 10**9), max_size=5),
    st.lists(st.tuples(st.integers(0, 10_000), st.just(0)) | st.tuples(st.just(0), st.integers(0, 10**9)), max_size=3),
    st.integers(0, 10_000),
)
def test_what_is_due_is_never_below_zero_and_adds_up(
    subtotal: int, credits: list[int], coupons: list[tuple[int, int]], tax: int
) -> None:
    due = settle(subtotal, credits, coupons, tax)
    assert due.net == max(0, subtotal) - sum(due.credits) - sum(due.discounts) >= 0
    assert due.total == due.net + due.tax >= 0
    assert all(0 <= used <= held for used, held in zip(due.credits, credits, strict=True))
    # A later grant is drawn on only once those before it are used up.
    for place, used in enumerate(due.credits):
        assert used == 0 or all(due.credits[before] == credits[before] for before in range(place))


def test_the_order_is_credit_then_coupon_then_tax() -> None:
    due = settle(100_00, [20_00, 5_00], [(5_000, 0), (0, 10_00)], 1_900)
    assert due.credits == (20_00, 5_00)
    assert due.discounts == (37_50, 10_00)
    assert (due.net, due.tax, due.total) == (27_50, 5_23, 32_73)
    # Any other order comes to something else.
    assert percentage(100_00, 5_000) != due.discounts[0]


@given(st.sampled_from(["usd", "eur", "jpy", "krw", "kwd", "clp"]), st.integers(0, 10**14))
def test_an_amount_is_read_back_as_it_was_written(currency: str, minor: int) -> None:
    text = amount_text(minor, currency)
    number, code = text.split(" ")
    assert code == currency.upper()
    assert len(number.partition(".")[2]) == decimals(currency)
    if minor < 10 ** (12 + decimals(currency)):
        assert parse_amount(number, currency) == minor
    assert amount_text(-minor - 1, currency).startswith("-")


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12", "usd", 1_200),
        ("12.5", "usd", 1_250),
        ("1,204.05", "usd", 120_405),
        ("12.505", "usd", None),
        ("300", "jpy", 300),
        ("300.0", "jpy", None),
        ("1.234", "kwd", 1_234),
        ("-1", "usd", None),
        ("", "usd", None),
        ("1e3", "usd", None),
        ("٣", "usd", None),
        ("1" * 13, "usd", None),
    ],
)
def test_what_people_type(text: str, currency: str, minor: int | None) -> None:
    assert parse_amount(text, currency) == minor
