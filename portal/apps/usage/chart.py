"""A month's usage of one meter as the geometry of an SVG: the template draws it, no script is needed.

The plot is `WIDTH` units wide and stretches with the page; heights are pixels. Meters that add up are drawn as their
running total, which a day reaches at its end; a peak is drawn day by day, as steps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from billing.usage.report import MeterReport
from portal.apps.usage.units import axis_label

WIDTH: Final = 1000
HEIGHT: Final = 120
FAR: Final = 4
"""A limit more than this many times above what was used is told in words: drawn, it would flatten the rest."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid with its label."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Column:
    """A day: where the pointer finds it, where its point lies, and what it says."""

    x: float
    width: float
    point_x: float
    point_y: float
    day: date
    value: int
    total: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Paths in the plot's units. `limit` is the height of the limit's line, `None` without one or far above."""

    line: str
    area: str
    forecast: str | None
    limit: float | None
    end: tuple[float, float] | None
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]
    limit_is_far: bool


def draw(report: MeterReport, days_in_month: int) -> Chart:
    """The chart of a report. `report.days` are the days so far, in order, from the first of the month on."""
    values = [point.total if report.adds_up else point.value for point in report.days]
    highest = max([*values, report.forecast or 0], default=0)
    near = report.limit is not None and (not highest or report.limit <= FAR * highest)
    top = nice_top(max(highest, report.limit or 0) if near else highest)
    width = WIDTH / days_in_month
    corners = list(_rising(values, width) if report.adds_up else _steps(values, width))
    scaled = [(x, _y(value, top)) for x, value in corners]
    end = scaled[-1] if scaled else None
    rise = report.forecast and end is not None and report.adds_up
    return Chart(
        line=_path(scaled),
        area=f"{_path(scaled)}L{scaled[-1][0]:g} {HEIGHT}L{scaled[0][0]:g} {HEIGHT}Z" if scaled else "",
        forecast=_path([end, (WIDTH, _y(report.forecast or 0, top))]) if rise and end is not None else None,
        limit=_y(report.limit or 0, top) if near else None,
        end=end,
        ticks=tuple(Tick(_y(value, top), axis_label(report.meter, value)) for value in (top, top / 2)),
        columns=tuple(_columns(report, values, width, top)),
        limit_is_far=report.limit is not None and not near,
    )


def nice_top(highest: float) -> float:
    """The end of an axis: the next of 1, 2, 4, 5, 6, 8 times a power of ten, so that its half reads well too."""
    power = 1
    while power * 10 < highest:
        power *= 10
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= max(highest, 2))


def _rising(values: Sequence[int], width: float) -> Iterable[tuple[float, int]]:
    if values:
        yield 0, 0
    for index, value in enumerate(values):
        yield (index + 1) * width, value


def _steps(values: Sequence[int], width: float) -> Iterable[tuple[float, int]]:
    for index, value in enumerate(values):
        yield index * width, value
        yield (index + 1) * width, value


def _columns(report: MeterReport, values: Sequence[int], width: float, top: float) -> Iterable[Column]:
    for index, (point, value) in enumerate(zip(report.days, values, strict=True)):
        x = index * width
        at = x + width if report.adds_up else x + width / 2
        yield Column(x, width, at, _y(value, top), point.day, point.value, point.total)


def _y(value: float, top: float) -> float:
    return HEIGHT - HEIGHT * value / top


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if index else 'M'}{x:.2f} {y:.2f}" for index, (x, y) in enumerate(points))
