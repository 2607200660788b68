"""What goes wrong, whatever the code: the roots that `errors` derives a class for each code from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class NatterError(Exception):
    """Everything that this package raises of its own."""

    request_id: str | None = None
    """Finds the request in the server's logs. The client makes it, so a request that got no answer has one, too."""


class ConnectionFailed(NatterError):
    """No answer came. `__cause__` is httpx's own exception.

    Whether the server did what was asked is not known when `sent`. Where the client may, it has called again already.
    """

    def __init__(self, message: str, *, sent: bool, request_id: str | None = None) -> None:
        super().__init__(message)
        self.sent = sent
        """Something of the request may have reached the server."""
        self.request_id = request_id


class TimedOut(ConnectionFailed):
    """The answer, or the connection, took longer than the client waits."""


class UnexpectedAnswer(NatterError):
    """The answer is nothing that this API says: another server is there, or a proxy between."""

    def __init__(self, message: str, *, status: int, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with a request."""

    field: str
    message: str


class APIError(NatterError):
    """The server refused. Catch the class of a code, of a status, or this one; `code` is stable, texts are not."""

    default_code: ClassVar[str | None] = None
    """The code that this class stands for."""

    def __init__(
        self,
        status: int,
        problem: Mapping[str, Any],
        *,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status = status
        """The HTTP status; 0 over a socket, which has none."""
        self.code: str | None = problem.get("code")
        """What went wrong, in a word. `None` when something between answered, such as a proxy."""
        self.detail = str(problem.get("detail") or problem.get("message") or problem.get("title") or "")
        """What is wrong here and what to do about it, for people."""
        self.retryable = bool(problem.get("retryable", False))
        """The same request, unchanged, may succeed later."""
        self.retry_after = retry_after
        """Seconds to wait before that, where the server says so."""
        self.field: str | None = problem.get("field")
        """The field, parameter or header to blame."""
        self.errors: Sequence[FieldError] = [
            FieldError(str(item.get("field", "")), str(item.get("message", ""))) for item in problem.get("errors") or ()
        ]
        """Everything that is wrong, where there is more than one thing."""
        self.data = dict(problem)
        """All that was said, with what some codes add: `permission`, `user_ids`, `limit`, …"""
        self.request_id = problem.get("request_id") or request_id
        super().__init__(self.detail)

    def __str__(self) -> str:
        told = [self.code or f"status {self.status}", f"request {self.request_id}" if self.request_id else None]
        return f"{self.detail} ({', '.join(part for part in told if part)})"
