"""Any exception to an RFC 9457 problem document; nothing internal is ever shown."""

import errno
import math
import re
from typing import Any, Final, NotRequired, TypedDict

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException

from kernel.errors import (
    Forbidden,
    InternalError,
    InvalidInput,
    Malformed,
    MethodNotAllowed,
    NatterError,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from kernel.http.body import MAX_BODY_BYTES
from kernel.http.wording import in_words, invalid, lower
from kernel.logging import get_logger

_log = get_logger(__name__)


class FieldProblem(TypedDict):
    """One thing that is wrong with a request."""

    field: str
    message: str


class Problem(TypedDict):
    """RFC 9457. Go by `code`, which is stable; `title` and `detail` are for people. Some codes have further members."""

    type: str
    """The code as an address; for a rate limit with a name, the registered type `quota-exceeded`."""
    title: str
    status: int
    detail: str
    """What is wrong here, and what to do about it."""
    code: str
    retryable: bool
    """The same request, unchanged, may succeed later."""
    retry_after: NotRequired[float]
    """Seconds to wait before that."""
    field: NotRequired[str]
    """The field, parameter or header to blame."""
    errors: NotRequired[list[FieldProblem]]
    """Everything that is wrong, where there is more than one thing."""
    request_id: NotRequired[str]
    """Finds the request in the server's logs; the same as the header `X-Request-Id`."""


_BY_STATUS: dict[int, type[NatterError]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    422: InvalidInput,
    503: Unavailable,
}

_MISSING: Final = re.compile(r"Missing required (\w+) parameter '([^']+)'")

# asyncpg and SQLAlchemy each wrap the same few states; their names are stable, their hierarchy is not.
_PASSING: Final = frozenset(
    {
        "AdminShutdownError",
        "CannotConnectNowError",
        "ConnectionDoesNotExistError",
        "ConnectionFailureError",
        "CrashShutdownError",
        "DeadlockDetectedError",
        "DiskFullError",
        "IdleInTransactionSessionTimeoutError",
        "InternalClientError",  # the driver's word for an answer that broke off where it expected none
        "LockNotAvailableError",
        "OutOfMemoryError",
        "QueryCanceledError",
        "ReadOnlySQLTransactionError",
        "SerializationError",
        "TimeoutError",  # SQLAlchemy's own: every connection of the pool waits for a server that says nothing
        "TooManyConnectionsError",
        "TransactionTimeoutError",
    }
)

_UNREACHABLE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})


def as_natter_error(error: BaseException) -> NatterError:
    """The expected failure that an exception stands for; `InternalError` for a defect."""
    if isinstance(error, NatterError):
        return error
    if isinstance(error, ValidationException):
        return _from_validation(error)
    if isinstance(error, msgspec.ValidationError):
        return invalid(error)
    if isinstance(error, RecursionError):
        return Malformed("The input is nested too deeply.")
    if isinstance(error, HTTPException):
        return _from_http(error)
    if database_is_away(error):
        return Unavailable("The database is not reachable right now. Nothing was lost; try again.")
    return InternalError()


def problem_for(status: int, code: str, detail: str) -> dict[str, Any]:
    """A problem document outside a Litestar application."""
    known = _BY_STATUS[status](detail)
    if known.code != code:
        raise ValueError(f"{status} is {known.code}, not {code}")
    return known.as_problem()


def database_is_away(error: BaseException | None) -> bool:
    """Whether an exception, or what caused it, means that PostgreSQL cannot do this now but may soon."""
    for _ in range(8):
        if error is None:
            return False
        name = type(error).__name__
        if isinstance(error, ConnectionError | TimeoutError) or name in _PASSING:
            return True
        # The driver's InterfaceError is also what wrong arguments look like, which no waiting mends.
        if name == "InterfaceError" and ("closed" in str(error) or "closing" in str(error)):
            return True
        # uvloop's word for a transport that was closed between two steps.
        if isinstance(error, RuntimeError) and "handler is closed" in str(error):
            return True
        if isinstance(error, OSError) and error.errno in _UNREACHABLE:
            return True
        error = error.__cause__ or getattr(error, "orig", None) or error.__context__
    return False


def _from_http(error: HTTPException) -> NatterError:
    if isinstance(error, InternalServerException) and "disconnected" in error.detail:
        return Malformed("The body ended before it was whole.")
    if error.status_code == 405:
        methods = (error.headers or {}).get("allow", "")
        return MethodNotAllowed(f"This path answers {methods}." if methods else None)
    if error.status_code == 413:
        return TooLarge(f"A body has at most {MAX_BODY_BYTES:,} bytes.")
    return _BY_STATUS.get(error.status_code, InternalError)(error.detail if error.status_code == 400 else None)


def _from_validation(error: ValidationException) -> NatterError:
    extra = error.extra if isinstance(error.extra, list) else []
    problems = [item for item in extra if isinstance(item, dict) and item.get("message")]
    if not problems:
        if missing := _MISSING.match(error.detail):
            return InvalidInput(f"`{missing[2]}` is required in the {missing[1]}.", field=missing[2])
        return InvalidInput(error.detail)
    fields = [FieldProblem(field=str(item.get("key") or ""), message=in_words(item["message"])) for item in problems]
    first = fields[0]
    if not first["field"]:
        return InvalidInput(f"{first['message']}.", errors=fields)
    return InvalidInput(f"`{first['field']}`: {lower(first['message'])}.", field=first["field"], errors=fields)


def problem_answer(error: Exception, path: str, request_id: str | None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request that failed. A defect is logged."""
    known = as_natter_error(error)
    if known.status >= 500 and not isinstance(error, NatterError):
        _log.error("http.failed", exc_info=error, path=path, requestId=request_id, code=known.code)
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    if isinstance(error, HTTPException) and "allow" in (allowed := error.headers or {}):
        headers["allow"] = allowed["allow"]
    if known.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(known.retry_after)))
    if known.status == 401:
        headers["www-authenticate"] = f'Bearer error="{known.code}"'
    return known.status, headers, msgspec.json.encode(known.as_problem(request_id))


def render_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything."""
    request_id = request.scope.get("state", {}).get("request_id")
    status, headers, body = problem_answer(error, request.url.path, request_id)
    media_type = headers.pop("content-type")
    return Response(body, status_code=status, media_type=media_type, headers=headers)
