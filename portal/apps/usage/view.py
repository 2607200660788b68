"""A meter's report as its card shows it."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from billing.usage.periods import month_bounds
from billing.usage.report import MeterReport, MonthReport
from kernel.clock import month_of
from portal.apps.usage.chart import WIDTH, Chart, draw
from portal.apps.usage.units import NAMES

Standing = Literal["over", "soon", "fine", "open"]
"""`over`: the limit is reached; `soon`: the forecast is beyond it; `open`: there is no limit."""


@dataclass(frozen=True, slots=True)
class MeterView:
    """What a card shows. `filled` is the used part of the limit in thousandths, `None` without a limit."""

    name: str
    report: MeterReport
    chart: Chart
    standing: Standing
    filled: int | None


def view_of(report: MeterReport, month: MonthReport) -> MeterView:
    """A meter's card."""
    return MeterView(
        name=NAMES[report.meter],
        report=report,
        chart=draw(report, (month.end - month.begin).days + 1),
        standing=_standing(report),
        filled=_filled(report),
    )


def neighbours(month: str, available: list[str]) -> tuple[str | None, str | None]:
    """The months before and after, where those can be shown."""
    begin, end = month_bounds(month)
    before, after = month_of(begin - timedelta(days=1)), month_of(end)
    return before if before in available else None, after if after in available else None


def first_of_next_month(day: date) -> date:
    """When limits begin anew."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _standing(report: MeterReport) -> Standing:
    if report.limit is None:
        return "open"
    if report.exceeded:
        return "over"
    return "soon" if report.forecast is not None and report.forecast > report.limit else "fine"


def _filled(report: MeterReport) -> int | None:
    if report.limit is None or report.total is None:
        return None
    if report.limit == 0:
        return WIDTH
    # A little is seen as a little, not as nothing.
    least = 4 if report.total else 0
    return max(least, min(WIDTH, round(WIDTH * report.total / report.limit)))
