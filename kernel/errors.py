"""Every expected failure is a class with a stable `code`, the same over HTTP and over a socket.

REST renders one as RFC 9457 `application/problem+json`, a socket acknowledgement as `{"error": {…}}`. Both come
from `NatterError.as_dict`. The reference table under `docs/reference/` is generated from `all_errors()`.
"""

from collections.abc import Iterator
from typing import Any, ClassVar


class NatterError(Exception):
    """An expected failure.

    `code` is a stable slug, `status` the HTTP status, `retryable` says whether the same call may succeed later,
    unchanged. `retry_after` is in seconds and always present on 429 and 503. `data` must be safe to show the caller.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    title: ClassVar[str] = "Something went wrong on our side"
    default_retry_after: ClassVar[float | None] = None

    def __init__(self, message: str | None = None, *, retry_after: float | None = None, **data: Any) -> None:
        self.message = message or self.title
        self.retry_after = retry_after if retry_after is not None else self.default_retry_after
        self.data = data
        super().__init__(self.message)

    def as_dict(self) -> dict[str, Any]:
        """`{code, message, retryable, retry_after?, …data}`: the body of a socket's error acknowledgement."""
        body: dict[str, Any] = {"code": self.code, "message": self.message, "retryable": self.retryable}
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        body.update(self.data)
        return body

    def as_problem(self, request_id: str | None = None) -> dict[str, Any]:
        """The RFC 9457 problem document."""
        problem: dict[str, Any] = {
            "type": f"https://natter.dev/errors/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.message,
            **self.as_dict(),
        }
        problem.pop("message")
        if request_id is not None:
            problem["request_id"] = request_id
        return problem


class InvalidInput(NatterError):
    """A field is missing, of the wrong type, too large or malformed. `field` names it where one is to blame."""

    code = "invalid_input"
    status = 422
    title = "The request is not valid"


class Malformed(NatterError):
    """The body or packet could not be read at all."""

    code = "malformed"
    status = 400
    title = "The request could not be read"


class Unauthenticated(NatterError):
    """No credential, or one that is not valid."""

    code = "unauthenticated"
    status = 401
    title = "Authentication is required"


class Forbidden(NatterError):
    """The caller is known and may not do this."""

    code = "forbidden"
    status = 403
    title = "This is not allowed"


class NotFound(NatterError):
    """Nothing by that name for this caller; also what another tenant's things look like."""

    code = "not_found"
    status = 404
    title = "Not found"


class MethodNotAllowed(NatterError):
    """The path exists with other methods."""

    code = "method_not_allowed"
    status = 405
    title = "This method is not allowed here"


class UnsupportedMediaType(NatterError):
    """The body is not JSON, or does not say so: send `Content-Type: application/json`."""

    code = "unsupported_media_type"
    status = 415
    title = "The body's type is not supported"


class Conflict(NatterError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409
    title = "The request conflicts with what is stored"


class TooLarge(NatterError):
    """The body or packet is larger than allowed."""

    code = "too_large"
    status = 413
    title = "The request is too large"


class RateLimited(NatterError):
    """Too many requests; the wait is in `retry_after`. `policy` names the limit, where it is one of those that
    `GET /v1/limits` lists."""

    code = "rate_limited"
    status = 429
    retryable = True
    title = "Too many requests"
    default_retry_after = 1.0

    def as_problem(self, request_id: str | None = None) -> dict[str, Any]:
        """With the type and the member that draft-ietf-httpapi-ratelimit-headers registers for a limit with a name."""
        problem = super().as_problem(request_id)
        if "policy" in self.data:
            problem["type"] = "https://iana.org/assignments/http-problem-types#quota-exceeded"
            problem["violated-policies"] = [self.data["policy"]]
        return problem


class Unavailable(NatterError):
    """A part that this needs is away for now. Nothing was done, or the same id makes the retry safe."""

    code = "unavailable"
    status = 503
    retryable = True
    title = "Temporarily unavailable"
    default_retry_after = 1.0


class InternalError(NatterError):
    """A defect of ours; `request_id` finds it in the logs."""

    code = "internal"


def all_errors() -> Iterator[type[NatterError]]:
    """Every loaded error class, for the generated reference."""

    def walk(cls: type[NatterError]) -> Iterator[type[NatterError]]:
        for sub in cls.__subclasses__():
            yield sub
            yield from walk(sub)

    yield from sorted(set(walk(NatterError)), key=lambda cls: cls.code)
