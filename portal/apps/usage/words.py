"""What a limit means, in words."""

from billing.money import amount_text
from billing.plans import MeterTerms, load_catalog
from billing.usage.periods import month_bounds
from billing.usage.report import MeterReport, MonthReport
from billing.usage.spend import Spend
from portal.apps.usage.units import amount
from portal.apps.usage.view import first_of_next_month

_REFUSED = {
    "messages": "New messages are refused",
    "mau": "Users who were not active this month yet are refused",
    "peak_connections": "Further connections are refused",
    "storage_bytes": "New messages are refused",
}


def over_words(meter: MeterReport, month: MonthReport) -> str:
    """What happens now that the limit is reached."""
    if month.complete:
        return "The limit was reached in this month."
    if meter.over == "bill":
        return "What is used beyond the limit is billed."
    if meter.over == "throttle":
        return "The app is served more slowly: at a tenth of its rates."
    if meter.meter == "storage_bytes":
        return f"{_REFUSED[meter.meter]} until some are deleted for good. Reading goes on."
    if meter.meter == "peak_connections":
        return f"{_REFUSED[meter.meter]} while that many are open."
    begins = first_of_next_month(month.end)
    return f"{_REFUSED[meter.meter]} until {begins.day} {begins:%B}. Reading goes on."


def budget_words(cost: Spend) -> tuple[str, str, str]:
    """Title, words and tone of a notice that the month's budget is spent."""
    assert cost.terms.budget is not None
    begins = month_bounds(cost.month)[1]
    spent, until = amount_text(cost.terms.budget.amount, load_catalog().currency), f"{begins.day} {begins:%B}"
    words, tone = {
        "bill": ("Everything goes on and is billed.", "warning"),
        "throttle": (
            f"The app is served at a tenth of its rates until {until}. What is used beyond the plan is still billed.",
            "danger",
        ),
        "stop": (f"What would be billed is refused until {until}. What the plan includes goes on.", "danger"),
    }[cost.terms.budget.over]
    return f"The budget of {spent} is spent.", words, tone


def soon_words(meter: MeterReport, month: MonthReport) -> str:
    """What the forecast means."""
    forecast = amount(meter.meter, meter.forecast or 0)
    end = f"{month.end.day} {month.end:%B}"
    return f"If it goes on like this, it will be about {forecast} by {end}, more than the plan includes."


def beyond(meter: MeterReport, terms: MeterTerms) -> str:
    """What happens beyond what is included, by the terms that are in force for the app."""
    if meter.limit is None:
        return "–"
    if meter.over == "stop":
        return f"{_REFUSED[meter.meter]}."
    if meter.over == "throttle":
        return "Slower."
    if terms.overage is None:
        return "Billed."
    price = amount_text(terms.overage.price, load_catalog().currency)
    return f"{price} for every {amount(meter.meter, terms.overage.per) if terms.overage.per > 1 else _one(meter)}."


def _one(meter: MeterReport) -> str:
    return amount(meter.meter, 1).removeprefix("1 ")
