"""The chart of a meter: what is drawn where."""

import re
from datetime import date, timedelta

import pytest

from billing.usage.report import DayPoint, MeterReport
from portal.apps.usage.chart import HEIGHT, WIDTH, draw, nice_top
from portal.apps.usage.units import amount, axis_label, share, size


def report(
    values: list[int], *, adds_up: bool = True, limit: int | None = 100, forecast: int | None = None
) -> MeterReport:
    """A meter with these values by day."""
    days, total = [], 0
    for number, value in enumerate(values):
        total = total + value if adds_up else max(total, value)
        days.append(DayPoint(date(2026, 11, 1) + timedelta(days=number), value, total))
    return MeterReport(
        meter="messages" if adds_up else "peak_connections",
        unit="messages",
        adds_up=adds_up,
        measured=True,
        days=tuple(days),
        total=total,
        limit=limit,
        over="stop",
        exceeded=False,
        forecast=forecast,
    )


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_a_meter_that_adds_up_rises_to_its_total() -> None:
    chart = draw(report([10, 20, 30]), 30)
    drawn = points(chart.line)
    assert drawn[0] == pytest.approx((0, HEIGHT))
    assert drawn[-1] == pytest.approx((WIDTH / 10, HEIGHT * 0.4), abs=0.01)
    heights = [y for _, y in drawn]
    assert heights == sorted(heights, reverse=True), "a running total never falls"


def test_a_peak_is_drawn_day_by_day() -> None:
    chart = draw(report([50, 10, 80], adds_up=False), 30)
    assert [y for _, y in points(chart.line)] == pytest.approx([60, 60, 108, 108, 24, 24])


def test_the_limit_is_a_line_when_it_is_near() -> None:
    chart = draw(report([40], limit=100), 30)
    assert chart.limit == 0
    assert not chart.limit_is_far


def test_a_limit_far_above_is_told_and_not_drawn() -> None:
    chart = draw(report([4], limit=200_000), 30)
    assert chart.limit is None
    assert chart.limit_is_far
    assert points(chart.line)[-1][1] == 0, "the usage fills the chart"


def test_without_a_limit_there_is_no_line() -> None:
    chart = draw(report([4], limit=None), 30)
    assert chart.limit is None
    assert not chart.limit_is_far


def test_over_the_limit_everything_is_still_inside() -> None:
    chart = draw(report([150, 150], limit=100, forecast=4_500), 30)
    assert all(
        0 <= y <= HEIGHT and 0 <= x <= WIDTH for path in (chart.line, chart.forecast or "") for x, y in points(path)
    )


def test_the_forecast_leads_from_today_to_the_end_of_the_month() -> None:
    chart = draw(report([10, 20], limit=None, forecast=400), 30)
    begin, end = points(chart.forecast or "")
    assert begin == pytest.approx(chart.end, abs=0.01)
    assert end == (WIDTH, 0)


def test_a_month_without_usage_is_a_flat_line() -> None:
    chart = draw(report([0, 0, 0]), 30)
    assert {y for _, y in points(chart.line)} == {HEIGHT}


def test_a_month_without_days_is_empty() -> None:
    chart = draw(report([]), 30)
    assert (chart.line, chart.area, chart.end, chart.columns) == ("", "", None, ())


def test_each_day_has_a_column_with_its_exact_value() -> None:
    chart = draw(report([10, 20]), 30)
    assert [(column.value, column.total) for column in chart.columns] == [(10, 10), (20, 30)]


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, 2), (1, 2), (3, 4), (5, 5), (7, 8), (12, 20), (99, 100), (100, 100), (4_100_000, 5_000_000)],
)
def test_axes_end_at_round_numbers(highest: int, top: int) -> None:
    assert nice_top(highest) == top


@pytest.mark.parametrize(
    ("meter", "value", "said"),
    [
        ("messages", 1, "1 message"),
        ("messages", 1_204, "1,204 messages"),
        ("mau", 1, "1 active user"),
        ("storage_bytes", 1_200_000_000, "1.2 GB"),
        ("storage_bytes", 1, "1 byte"),
    ],
)
def test_amounts_have_units(meter: str, value: int, said: str) -> None:
    assert amount(meter, value) == said


def test_axis_labels_are_short() -> None:
    assert [axis_label("messages", value) for value in (0, 500, 2_500, 200_000, 3_000_000)] == [
        "0",
        "500",
        "2.5k",
        "200k",
        "3M",
    ]
    assert size(50_000_000_000) == "50 GB"


@pytest.mark.parametrize(
    ("used", "limit", "said"),
    [
        (0, 100, "0%"),
        (1, 200_000, "under 1%"),
        (42, 100, "42%"),
        (999, 1_000, "over 99%"),
        (100, 100, "100%"),
        (150, 100, "150%"),
        (0, 0, "100%"),
    ],
)
def test_a_share_never_says_none_or_all_when_it_is_not(used: int, limit: int, said: str) -> None:
    assert share(used, limit) == said
