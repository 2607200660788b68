"""`POST /webhooks/stripe`: Stripe tells that something has happened."""

from typing import Any, Final

from litestar import Request, post

from billing.provider.stripe.inbox import receive
from control_plane.dependencies import DepsDependency
from kernel.errors import NotFound

MOST_BYTES: Final = 2_000_000


@post("/webhooks/stripe", status_code=200, request_max_body_size=MOST_BYTES)
async def receive_stripe_event(request: Request[Any, Any, Any], deps: DepsDependency) -> dict[str, bool]:
    """An event with Stripe's signature. The answer means that it is stored; what follows from it is the worker's."""
    if deps.settings.billing != "stripe":
        raise NotFound()
    await receive(deps, await request.body(), request.headers.get("stripe-signature", ""))
    return {"received": True}
