"""Stripe's worker as a process that can be killed: `python -m tests.billing.mortal DATABASE STRIPE [bug]`.

Reads a moment a line (seconds since 1970) from standard input, and for each makes a process that works until nothing is
left to do at that moment; it prints the process's id, and how it ended once it has. With `bug` a usage report that is
sent again has another name.
"""

import asyncio
import dataclasses
import os
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from billing.provider.stripe.client import StripeApi
from billing.provider.stripe.worker import StripeWorker
from kernel.clock import ManualClock
from tests.billing.stripe_world import KEY, SECRET
from tests.control_plane.fixtures import make_deps


async def work(database: str, stripe: str, at: float) -> None:
    """Rounds of one worker, as `natter worker` makes them, without the waits in between."""
    deps = make_deps(database, ManualClock(datetime.fromtimestamp(at, UTC)))
    settings = dataclasses.replace(
        deps.settings,
        billing="stripe",
        stripe_secret_key=KEY,
        stripe_webhook_secrets=SECRET,
        stripe_api_url=stripe,
    )
    worker = StripeWorker(dataclasses.replace(deps, settings=settings))
    while await worker.step():
        pass
    assert worker.failed == {}


def plant() -> None:
    """Each try to report usage is another report."""
    call = StripeApi.call

    async def under_another_name(self: StripeApi, service: Any, *path: str, **params: Any) -> Any:
        if "identifier" in params:
            params["identifier"] = uuid4().hex
        return await call(self, service, *path, **params)

    StripeApi.call = under_another_name  # type: ignore[method-assign]


def main() -> None:
    """Until the standard input ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    database, stripe, *bug = sys.argv[1:]
    if bug:
        plant()
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            asyncio.run(work(database, stripe, float(line)))
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
