"""Whether refused requests are refused well: told by code and field, without a trace in the tables or the log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from data_plane.reference import openapi_document
from kernel.errors import all_errors
from tests.api.badness import BODIES, PATHS, QUERIES, bad_values, with_field
from tests.api.house import Logs, Stored
from tests.api.test_document import errors_of
from tests.api.wire import Answer, Headers, request

JSON = ("content-type", "application/json")


@dataclass(frozen=True)
class Entry:
    """How a route is called well; `{name}` in the path stands for a value of `path`.

    `foreign` are values of the path that another app's things have. `kind` is the body's type where the public document
    does not tell it. `headers` are those that the route looks at.
    """

    path: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    foreign: dict[str, str] = field(default_factory=dict)
    credential: str = "server"
    headers: tuple[str, ...] = ()
    kind: Any = None


@dataclass
class Checker:
    """Makes calls and keeps what is wrong with their answers."""

    url: str
    stored: Stored
    logs: Logs
    credentials: dict[str, str]
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    _known: dict[str, tuple[int, str]] | None = None
    """What is stored, as the last refused call left it; nobody else writes between calls."""

    async def refuse(
        self,
        what: str,
        method: str,
        target: str,
        *,
        headers: Headers = (),
        body: bytes | None = None,
        credential: str | None = "server",
        codes: Iterable[str] = (),
        must: bool = True,
    ) -> Answer:
        """One call, to be refused with one of the codes where some are given. Unless it `must`, it may succeed."""
        bearer = self.credentials.get(credential, credential) if credential else ""
        own = [("authorization", f"Bearer {bearer}".encode())] if credential else []
        before, failures = self._known or await self.stored.now(), len(self.logs.failures)
        answer = await request(self.url, method, target, [*own, *headers], body)
        self.calls += 1
        for wrong in self._judge(answer, set(codes), must):
            self.wrong.append(f"{method} {target[:80]}, {what}: {wrong}")
        self._known = None
        if answer.status >= 400:
            after = self._known = await self.stored.now()
            changed = [table for table in after if after[table] != before[table]]
            if changed:
                self.wrong.append(f"{method} {target[:80]}, {what}: refused, and wrote to {changed}")
        if len(self.logs.failures) > failures:
            self.wrong.append(f"{method} {target[:80]}, {what}: logged {self.logs.failures[-1][:500]}")
        return answer

    def _judge(self, answer: Answer, codes: set[str], must: bool) -> Iterator[str]:
        problem = answer.problem
        if answer.status < 400:
            if must:
                yield f"accepted with {answer}"
            return
        if answer.status >= 500:
            yield f"failed with {answer}"
        if not problem:
            yield f"no problem document: {answer}"
            return
        if problem["code"] not in KNOWN or problem["status"] != answer.status:
            yield f"an unknown code, or another status: {answer}"
        if codes and problem["code"] not in codes:
            yield f"{problem['code']} where {sorted(codes)} was due: {problem['detail']}"
        if problem["code"] == "invalid_input" and len(problem["detail"]) < 15:
            yield f"says too little: {problem['detail']}"
        if len(answer.body) > 5_000:
            yield "says too much"


FOREIGN = ("not_found", "unknown_users", "message_id_taken")
"""What another app's things get. An id that is the caller's own message is taken wherever it is sent to."""
KNOWN = {error.code for error in all_errors()} - {"internal"}


async def sweep(checker: Checker, document: dict[str, Any], method: str, template: str, entry: Entry) -> None:
    """Everything bad that one route can be given."""
    target = template.format(**entry.path)
    good = orjson.dumps(entry.body) if entry.body is not None else None
    own = [JSON] if good is not None else []
    operation = document["paths"].get(template, {}).get(method.lower(), {})
    told: dict[str, Any] = {"body": good, "headers": own, "credential": entry.credential}

    for name in entry.path:
        for what, value in PATHS.items():
            place = template.format(**{**entry.path, name: value})
            await checker.refuse(f"{name} is {what}", method, place, **told)
    if entry.foreign:
        place = template.format(**{**entry.path, **entry.foreign})
        await checker.refuse("another app's", method, place, **told, codes=FOREIGN)

    parameters = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    for name in parameters:
        for what, value in QUERIES.items():
            await checker.refuse(f"{name} is {what}", method, f"{target}?{name}={value}", **told, must=name == "limit")
        await checker.refuse("twice", method, f"{target}?{name}=1&{name}=1", **told, codes=["invalid_input"])
    if operation:
        await checker.refuse("an unknown parameter", method, f"{target}?an_unknown=1", **told, codes=["invalid_input"])
    await checker.refuse("no percent-encoding", method, f"{target}?a=%zz", **told, codes=["malformed"])
    for header in entry.headers:
        for value in ("", "a b", "\t", "x" * 256, "\xff"):
            sent = [*own, (header, value.encode("latin-1"))]
            await checker.refuse(f"{header} is {value[:9]!r}", method, target, **{**told, "headers": sent})

    if entry.body is not None:
        await _sweep_body(checker, document, operation, method, target, entry)


async def _sweep_body(
    checker: Checker, document: dict[str, Any], operation: dict[str, Any], method: str, target: str, entry: Entry
) -> None:
    told: dict[str, Any] = {"headers": [JSON], "credential": entry.credential}
    assert entry.body is not None
    for what, body in BODIES.items():
        # Planes are deployed one after the other, so between them an unknown field is passed over.
        must = bool(operation) or what not in ("an unknown field", "a field without name")
        await checker.refuse(f"the body is {what}", method, target, body=body, **told, must=must)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        sent = [("content-type", kind)] if kind else []
        body = orjson.dumps(entry.body)
        await checker.refuse(
            f"sent as {kind}", method, target, body=body, headers=sent, credential=entry.credential,
            codes=["unsupported_media_type"],
        )  # fmt: skip
    for path in fields(entry.body):
        for what, value in bad_values(path[-1]).items():
            body = with_field(entry.body, path, value)
            good = fits(body, entry.kind) if entry.kind else _fits(document, operation, body)
            name = ".".join(map(str, path))
            await checker.refuse(f"{name} is {what}", method, target, body=body, **told, must=not good)


def fields(value: Any, where: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place inside a body, `custom` and attachments without what is in them."""
    if where:
        yield where
    if isinstance(value, dict) and "custom" not in where and "attachments" not in where:
        for key, inner in value.items():
            yield from fields(inner, (*where, key))
    elif isinstance(value, list) and value and "attachments" not in where:
        yield from fields(value[0], (*where, 0))


def _fits(document: dict[str, Any], operation: dict[str, Any], body: bytes) -> bool:
    """Whether the document says that this body is valid."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if b"\\u0000" in body or len(body) > 262_144:
        return False
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return not errors_of(document, schema, value)


def fits(body: bytes, kind: Any) -> bool:
    """Whether a body is of its type."""
    try:
        msgspec.convert(orjson.loads(body), kind)
    except (msgspec.ValidationError, orjson.JSONDecodeError):
        return False
    return b"\\u0000" not in body and len(body) <= 262_144


def load() -> dict[str, Any]:
    """The public document."""
    found: dict[str, Any] = orjson.loads(openapi_document())
    return found
