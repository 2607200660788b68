"""The API's description, made ready to be read: an OpenAPI 3.1 document as groups of operations.

The document is trusted (it is ours) but not assumed to be complete: what it leaves out is not shown.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from markupsafe import Markup

from portal.docs.highlight import highlight
from portal.docs.markdown import anchor, inline, to_html
from portal.docs.schemas import Field, Schema, Schemas

_METHODS: Final = ("get", "put", "post", "delete", "patch")
_PLACES: Final = ("path", "query", "header")
_CODE: Final = re.compile(r"^- `([a-z_]+)`: (.*)$", re.MULTILINE)
_CALLERS: Final = {"secretKey": "secret key", "userToken": "user token"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is not a refusal."""

    status: str
    meaning: Markup
    schemas: tuple[Schema, ...]
    example: Markup | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that an operation may answer with."""

    status: str
    code: str
    meaning: Markup


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    anchor: str
    method: str
    path: str
    summary: str
    description: Markup
    callers: tuple[str, ...]
    parameters: tuple[tuple[str, tuple[Field, ...]], ...]
    body: tuple[Schema, ...]
    body_example: Markup | None
    answers: tuple[Answer, ...]
    refusals: tuple[Refusal, ...]

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """The path in pieces, `(text, is a parameter)`, so that a template can set parameters apart."""
        return [(piece, piece.startswith("{")) for piece in re.split(r"(\{[^}]+\})", self.path) if piece]


@dataclass(frozen=True, slots=True)
class Group:
    """Operations with the same tag."""

    name: str
    anchor: str
    description: Markup
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole page."""

    title: str
    version: str
    summary: str
    description: Markup
    groups: tuple[Group, ...]
    schemas: tuple[Schema, ...]


def read_reference(document: bytes) -> Reference:
    """The page that an OpenAPI document makes. Raises `msgspec.DecodeError` for what is no JSON."""
    raw: dict[str, Any] = msgspec.json.decode(document)
    schemas = Schemas(raw)
    by_tag: dict[str, list[Operation]] = {tag["name"]: [] for tag in raw.get("tags", ())}
    for path, item in raw["paths"].items():
        for method in _METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["Other"])[0]
                by_tag.setdefault(tag, []).append(_operation(raw, schemas, path, method, item))
    told = {tag["name"]: tag.get("description", "") for tag in raw.get("tags", ())}
    info = raw["info"]
    return Reference(
        title=info["title"],
        version=info["version"],
        summary=info.get("summary", ""),
        description=to_html(info.get("description", "")),
        groups=tuple(
            Group(name, f"group-{anchor(name)}", inline(told.get(name, "")), tuple(operations))
            for name, operations in by_tag.items()
            if operations
        ),
        schemas=tuple(schemas.all()),
    )


def _operation(
    document: Mapping[str, Any], schemas: Schemas, path: str, method: str, item: Mapping[str, Any]
) -> Operation:
    raw = item[method]
    body = _resolved(document, raw.get("requestBody", {})).get("content", {}).get("application/json", {})
    responses = {status: _resolved(document, response) for status, response in raw.get("responses", {}).items()}
    return Operation(
        anchor=raw.get("operationId", anchor(f"{method} {path}")),
        method=method.upper(),
        path=path,
        summary=raw.get("summary", ""),
        description=to_html(raw.get("description", "")),
        callers=tuple(_CALLERS.get(name, name) for choice in raw.get("security", ()) for name in choice),
        parameters=tuple(_parameters(document, schemas, [*item.get("parameters", ()), *raw.get("parameters", ())])),
        body=tuple(schemas.of(body.get("schema", {}))),
        body_example=_example(body),
        answers=tuple(
            _answer(schemas, status, response) for status, response in sorted(responses.items()) if _ok(status)
        ),
        refusals=tuple(
            Refusal(status, code, inline(meaning))
            for status, response in sorted(responses.items())
            if not _ok(status)
            for code, meaning in _CODE.findall(response.get("description", ""))
        ),
    )


def _parameters(
    document: Mapping[str, Any], schemas: Schemas, raw: list[Mapping[str, Any]]
) -> Iterator[tuple[str, tuple[Field, ...]]]:
    resolved = [_resolved(document, parameter) for parameter in raw]
    for place in _PLACES:
        fields = [
            schemas.field(
                parameter["name"],
                parameter.get("schema", {}),
                required=parameter.get("required", False),
                description=parameter.get("description", ""),
            )
            for parameter in resolved
            if parameter["in"] == place
        ]
        if fields:
            yield place, tuple(fields)


def _answer(schemas: Schemas, status: str, response: Mapping[str, Any]) -> Answer:
    content = response.get("content", {}).get("application/json", {})
    said = inline(response.get("description", ""))
    return Answer(status, said, tuple(schemas.of(content.get("schema", {}))), _example(content))


def _example(content: Mapping[str, Any]) -> Markup | None:
    """The first recorded example as people read JSON, in colours."""
    for example in content.get("examples", {}).values():
        if "value" in example:
            text = msgspec.json.format(msgspec.json.encode(example["value"]), indent=2).decode()
            return highlight(text, "json")
    return None


def _resolved(document: Mapping[str, Any], raw: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in raw:
        target: Any = document
        for step in str(raw["$ref"]).removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        raw = target
    return raw


def _ok(status: str) -> bool:
    return status.startswith(("2", "3"))
