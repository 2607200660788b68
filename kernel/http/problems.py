"""Any exception to an RFC 9457 problem document; nothing internal is ever shown."""

from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

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
from kernel.logging import get_logger

_log = get_logger(__name__)

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
        "OutOfMemoryError",
        "QueryCanceledError",
        "ReadOnlySQLTransactionError",
        "SerializationError",
        "TooManyConnectionsError",
    }
)


def as_natter_error(error: BaseException) -> NatterError:
    """The expected failure that an exception stands for; `InternalError` for a defect."""
    if isinstance(error, NatterError):
        return error
    if isinstance(error, ValidationException):
        return _from_validation(error)
    if isinstance(error, msgspec.ValidationError):
        return InvalidInput(f"{error}.")
    if isinstance(error, msgspec.DecodeError | RecursionError | UnicodeDecodeError):
        return Malformed("The body is not valid JSON.")
    if isinstance(error, HTTPException):
        return _BY_STATUS.get(error.status_code, InternalError)(
            error.detail if error.status_code in (400, 405, 413) else None
        )
    if database_is_away(error):
        return Unavailable("The database is not reachable right now. Nothing was lost; try again.")
    return InternalError()


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
        error = error.__cause__ or getattr(error, "orig", None) or error.__context__
    return False


def _from_validation(error: ValidationException) -> NatterError:
    extra = error.extra if isinstance(error.extra, list) else []
    problems = [item for item in extra if isinstance(item, dict) and item.get("message")]
    if not problems:
        return InvalidInput(str(error.detail))
    first = problems[0]
    field = str(first.get("key") or "")
    where = f"`{field}`: " if field else ""
    return InvalidInput(
        f"{where}{first['message']}",
        field=field or None,
        errors=[{"field": str(item.get("key") or ""), "message": str(item["message"])} for item in problems],
    )


def render_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything."""
    known = as_natter_error(error)
    request_id = request.scope.get("state", {}).get("request_id")
    if known.status >= 500 and not isinstance(error, NatterError):
        _log.error("http.failed", exc_info=error, path=request.url.path, requestId=request_id, code=known.code)
    headers = {"cache-control": "no-store"}
    if known.retry_after is not None:
        headers["retry-after"] = str(max(1, round(known.retry_after)))
    if known.status == 401:
        headers["www-authenticate"] = f'Bearer error="{known.code}"'
    return Response(
        msgspec.json.encode(known.as_problem(request_id)),
        status_code=known.status,
        media_type="application/problem+json",
        headers=headers,
    )
