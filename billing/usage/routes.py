"""`POST /internal/v1/usage`: nodes and relays report what was used."""

from litestar import post

from billing.usage.ingest import IngestMetrics, ingest
from billing.usage.quota import QuotaKeeper
from control_plane.context import Deps
from control_plane.credentials.models import Credential
from kernel.contracts import UsageReceipt, UsageReport


@post("/internal/v1/usage", status_code=200)
async def report_usage(
    data: UsageReport, deps: Deps, credential: Credential, quota_keeper: QuotaKeeper, ingest_metrics: IngestMetrics
) -> UsageReceipt:
    """A `UsageReport` of at most 1,000 rows; the receipt means that every row is durable."""
    outcome = await ingest(deps, credential, data)
    ingest_metrics.count(outcome, len(data.rows))
    if outcome.fresh:
        quota_keeper.wake()
    return UsageReceipt(fresh=len(outcome.fresh))
