"""`POST /internal/v1/usage`: nodes and relays report what was used."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from billing.usage.ingest import IngestMetrics, ingest
from billing.usage.quota import QuotaKeeper
from control_plane.dependencies import CredentialDependency, DepsDependency
from kernel.contracts import UsageReceipt, UsageReport


@post("/internal/v1/usage", status_code=200)
async def report_usage(
    data: JSONBody[UsageReport],
    deps: DepsDependency,
    credential: CredentialDependency,
    quota_keeper: NamedDependency[SkipValidation[QuotaKeeper]],
    ingest_metrics: NamedDependency[SkipValidation[IngestMetrics]],
) -> UsageReceipt:
    """A `UsageReport` of at most 1,000 rows; the receipt means that every row is durable."""
    outcome = await ingest(deps, credential, data)
    ingest_metrics.count(outcome, len(data.rows))
    if outcome.fresh:
        quota_keeper.wake()
    return UsageReceipt(fresh=len(outcome.fresh))
