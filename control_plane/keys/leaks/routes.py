"""`POST /v1/leaks` for everybody, and `POST /v1/leaks/github` for GitHub's secret scanning. Both answer 202 to all."""

from typing import Any, Final

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from control_plane.dependencies import DepsDependency
from control_plane.keys.leaks.github import GithubKeys
from control_plane.keys.leaks.report import MOST, Found, take_in
from kernel.errors import InvalidInput
from kernel.gcra import rate
from kernel.http.body import decode
from kernel.http.ratelimit import limited_by_address

_MAX_BYTES: Final = 1_048_576
_PER_REQUEST: Final = 100
_FROM_GITHUB: Final = msgspec.json.Decoder(list[Found])


class LeakReport(msgspec.Struct, frozen=True):
    """What somebody found."""

    found: list[Found]


@post("/v1/leaks", status_code=202, middleware=[limited_by_address("leaks.ip", rate(0.2, 20))])
async def report_leaks(data: JSONBody[LeakReport], deps: DepsDependency) -> None:
    """Keys that anybody found, at most 100. Whoever can send one holds it, so that it has leaked."""
    if len(data.found) > _PER_REQUEST:
        raise InvalidInput(f"`found` must hold at most {_PER_REQUEST} tokens.", field="found")
    await take_in(deps, "anybody", data.found)


@post(
    "/v1/leaks/github",
    status_code=202,
    request_max_body_size=_MAX_BYTES,
    middleware=[limited_by_address("leaks.github.ip", rate(5, 300))],
)
async def report_leaks_by_github(
    request: Request[Any, Any, Any],
    deps: DepsDependency,
    github_keys: NamedDependency[SkipValidation[GithubKeys]],
) -> None:
    """What GitHub's secret scanning found: a JSON array, signed over its bytes. Raises `Unauthenticated`."""
    body = await request.body()
    identifier = request.headers.get("github-public-key-identifier", "")
    await github_keys.check(identifier, request.headers.get("github-public-key-signature", ""), body)
    found = decode(body, _FROM_GITHUB, list[Found])
    for start in range(0, len(found), MOST):
        await take_in(deps, "github", found[start : start + MOST])


LEAK_ROUTES: Final[list[ControllerRouterHandler]] = [report_leaks, report_leaks_by_github]
