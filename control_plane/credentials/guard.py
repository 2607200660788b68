"""Read the bearer's credential off a request."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from control_plane.context import Deps
from control_plane.credentials.models import Credential
from control_plane.credentials.service import authenticate
from kernel.errors import Unauthenticated


async def provide_credential(
    request: Request[Any, Any, Any], deps: NamedDependency[SkipValidation[Deps]]
) -> Credential:
    """A dependency of internal routes: `Authorization: Bearer nk_…`. Raises `Unauthenticated`."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented:
        raise Unauthenticated("Send `Authorization: Bearer nk_…`, made by `natter credential create`.")
    async with deps.database.unit_of_work(read_only=True) as uow:
        return await authenticate(uow.session, deps.vault, presented.strip())
