"""`POST /v1/guests`."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from data_plane.guests.errors import GuestsOff
from data_plane.guests.schemas import CreateGuest
from data_plane.guests.service import Guests
from data_plane.guests.views import GuestView
from data_plane.identity.errors import NoSigningKey, OriginNotAllowed
from data_plane.tenancy.errors import AppDeleted, AppReadOnly, AppSuspended, QuotaExceeded
from kernel.errors import Unauthenticated
from kernel.http import answers

GuestsDependency = NamedDependency[SkipValidation[Guests]]


@post(
    "/v1/guests",
    status_code=201,
    operation_id="createGuest",
    summary="Let a guest in",
    tags=["Guests"],
    security=[{}],
    opt=answers(
        (201, GuestView, "The guest, and its tokens."),
        errors=(
            Unauthenticated,
            GuestsOff,
            AppReadOnly,
            NoSigningKey,
            QuotaExceeded,
            AppSuspended,
            AppDeleted,
            OriginNotAllowed,
        ),
    ),
)
async def create_guest(
    data: JSONBody[CreateGuest], request: Request[Any, Any, Any], guests: GuestsDependency
) -> Response[GuestView]:
    """Make a user with the role `guest` and tokens for it; the app's publishable key is the only credential needed.

    Off until the app's settings in the portal let guests in. Each call makes another guest: keep the tokens.
    """
    made = await guests.create(data.key, data.name, origin=request.headers.get("origin"))
    return Response(made, headers={"cache-control": "no-store"})


ROUTES: list[ControllerRouterHandler] = [create_guest]
