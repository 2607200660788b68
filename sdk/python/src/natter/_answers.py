"""From an HTTP response, or a problem over a socket, to a result or an exception."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import httpx

from . import errors
from ._operation import Operation

T = TypeVar("T")
_PASSING: Final = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed, when no problem document says whether."""
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def result_of(operation: Operation[T], response: httpx.Response, request_id: str) -> T:
    """The result. Raises `APIError` for a refusal and `UnexpectedAnswer` for what cannot be read."""
    request_id = response.headers.get("x-request-id", request_id)
    if not response.is_success:
        raise _refusal(response, request_id)
    try:
        return operation.answer(json.loads(response.content) if response.content else None)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise errors.UnexpectedAnswer(
            f"{operation.method} {response.url} answered {response.status_code} with something else: {error!r}",
            status=response.status_code,
            request_id=request_id,
        ) from error


def failure_of(error: httpx.RequestError, request_id: str, where: str) -> errors.ConnectionFailed:
    """What a request without an answer is raised as."""
    kind = errors.TimedOut if isinstance(error, httpx.TimeoutException) else errors.ConnectionFailed
    said = f"{where}: {error or type(error).__name__}"
    failure = kind(said, sent=not isinstance(error, _NOT_SENT), request_id=request_id)
    failure.__cause__ = error
    return failure


def error_of(
    problem: Mapping[str, Any], *, status: int = 0, retry_after: float | None = None, request_id: str | None = None
) -> errors.APIError:
    """The exception of a problem's code, or of its status where the code is one that this SDK does not know."""
    by_code = errors.BY_CODE.get(str(problem.get("code")))
    kind = by_code or errors.BY_STATUS.get(status) or errors.APIError
    said = problem.get("retry_after")
    wait = float(said) if isinstance(said, (int, float)) else retry_after
    return kind(status, problem, retry_after=wait, request_id=request_id)


def _refusal(response: httpx.Response, request_id: str) -> errors.APIError:
    status = response.status_code
    problem: Any = None
    if "json" in response.headers.get("content-type", ""):
        try:
            problem = json.loads(response.content)
        except ValueError:
            problem = None
    if not isinstance(problem, dict) or "code" not in problem:
        problem = {"detail": f"{status} {response.reason_phrase}".strip(), "retryable": status in _PASSING}
    return error_of(problem, status=status, retry_after=_retry_after(response), request_id=request_id)


def _retry_after(response: httpx.Response) -> float | None:
    """The header in seconds: a number, or a moment."""
    said = response.headers.get("retry-after")
    if said is None:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
