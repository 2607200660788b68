"""The `responses` of an operation: its answers, and every problem that it can give."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from data_plane.identity.errors import AnonymousOff, KeyExpired, MissingScope, OriginNotAllowed, UserDeactivated
from data_plane.tenancy.errors import AppDeleted, AppReadOnly, AppSuspended, QuotaExceeded
from kernel.errors import (
    Forbidden,
    InternalError,
    InvalidInput,
    Malformed,
    NatterError,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from kernel.http.operation import Operation
from kernel.http.problems import Problem
from kernel.security.tokens import TokenExpired, TokenInvalid, TokenRevoked
from ops.reference.schemas import Schemas
from ops.reference.text import paragraph

ALWAYS: Final = (Malformed, InvalidInput, InternalError, RateLimited, Unavailable)
CALLER: Final = (
    Unauthenticated, TokenInvalid, TokenExpired, TokenRevoked, KeyExpired, Forbidden, MissingScope, OriginNotAllowed,
    AppSuspended, AppDeleted, UserDeactivated, QuotaExceeded, AnonymousOff,
)  # fmt: skip
"""Of every route that authenticates."""
CHANGES: Final = (AppReadOnly,)
"""Of every route that changes something."""
BODY: Final = (TooLarge, UnsupportedMediaType)
NAMED: Final = (NotFound,)
"""Of every route that names a channel or a message in its path."""
_COMMON: Final = (*ALWAYS, *CALLER, *BODY, *NAMED)

_EVERYWHERE: Final = ("X-Request-Id", "RateLimit-Policy", "RateLimit")
HEADERS: Final[dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Finds the request in the server's logs. Your own, when you sent one of 1 to 64 characters of "
        "A-Z a-z 0-9 _ . -",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    },
    "RateLimit-Policy": {
        "description": "The limits that the caller is under, as draft-ietf-httpapi-ratelimit-headers has them: "
        '`"messages.user";q=50;w=5` is 50 at once, all there again after 5 seconds.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'Where the caller stands: `"messages.user";r=49;t=1` is 49 left, and all back in 1 second.',
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "`Bearer`, and the code.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` when this is the answer that the same `Idempotency-Key` got before.",
        "schema": {"const": "true"},
    },
}


class Responses:
    """Makes the responses of all operations and keeps what they share."""

    def __init__(self, schemas: Schemas, examples: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._examples = examples
        self.components: dict[str, Any] = {}

    def of(self, operation: Operation, errors: Iterable[type[NatterError]], *, said: Mapping[str, Any]) -> Any:
        """By status. `said` holds recorded bodies by status."""
        responses = {
            str(answer.status): self._answer(answer.status, answer.body, answer.meaning, said)
            for answer in operation.answers
        }
        by_status: dict[int, list[type[NatterError]]] = {}
        for error in {error.code: error for error in (*errors, *operation.errors)}.values():
            by_status.setdefault(error.status, []).append(error)
        for status, kinds in sorted(by_status.items()):
            responses[str(status)] = {"$ref": f"#/components/responses/{self._shared(status, tuple(kinds))}"}
        return responses

    def _answer(self, status: int, body: Any, meaning: str, said: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": meaning, "headers": _headers(*_EVERYWHERE)}
        if body is not None:
            media: dict[str, Any] = {"schema": self._schemas.of(body)}
            if str(status) in said:
                media["examples"] = {"recorded": {"value": said[str(status)]}}
            answer["content"] = {"application/json": media}
        return answer

    def _shared(self, status: int, kinds: tuple[type[NatterError], ...]) -> str:
        kinds = tuple(sorted(kinds, key=lambda kind: kind.code))
        name = _name(status, kinds)
        if name not in self.components:
            self.components[name] = self._problem(status, kinds)
        return name

    def _problem(self, status: int, kinds: tuple[type[NatterError], ...]) -> dict[str, Any]:
        names = [*_EVERYWHERE]
        if all(kind.default_retry_after is not None for kind in kinds):
            names.append("Retry-After")
        if status == 401:
            names.append("WWW-Authenticate")
        codes = [kind.code for kind in kinds]
        known = {"status": {"const": status}, "code": {"enum": codes}}
        schema = {"allOf": [self._schemas.of(Problem), {"properties": known}]}
        examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes if code in self._examples}
        return {
            "description": "\n".join(f"- `{kind.code}`: {paragraph(kind)}" for kind in kinds),
            "headers": _headers(*names),
            "content": {"application/problem+json": {"schema": schema, "examples": examples}},
        }


def _name(status: int, kinds: tuple[type[NatterError], ...]) -> str:
    """`Forbidden` for what is common to many routes, `ForbiddenOrOwnerNeeded` where there is more."""
    common = {kind for kind in _COMMON if kind.status == status}
    if not common or not common <= set(kinds):
        return "Or".join(kind.__name__ for kind in kinds)
    phrase = HTTPStatus(status).phrase.title().replace(" ", "")
    return "Or".join([phrase, *(kind.__name__ for kind in kinds if kind not in common)])


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
