"""Alerts: who pays hears that a limit or the budget comes near, once for each threshold, limit and month."""

from billing.alerts.letters import AlertJobs
from billing.alerts.service import TOPIC, Alert, list_alerts, raise_alerts

__all__ = ["TOPIC", "Alert", "AlertJobs", "list_alerts", "raise_alerts"]
