"""How request bodies are read: JSON that says so, decoded strictly and in one pass into the route's own type."""

from functools import cache
from typing import Any, Final

import msgspec
import orjson
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from kernel.errors import InvalidInput, Malformed, UnsupportedMediaType
from kernel.http.convert import convert
from kernel.http.operation import body_type

MAX_BODY_BYTES: Final = 262_144
_NUL: Final = "holds a NUL character (\\u0000), which text cannot store"


class ApiRequest(Request[Any, Any, Any]):
    """A request whose JSON is the route's struct, or a refusal that names the field."""

    async def json(self) -> Any:
        """The decoded body. Raises `UnsupportedMediaType`, `Malformed` or `InvalidInput`."""
        body = await self.body()
        if not isinstance(self.route_handler, HTTPRouteHandler) or not body:
            return None
        _require_json(self.headers.get("content-type", ""), self.headers.get("content-encoding", ""))
        value = decode(body, *_decoder(self.route_handler))
        # The escape may itself be escaped, so look closer only when it seems to be there.
        if b"\\u0000" in body and (place := find_nul(orjson.loads(body))) is not None:
            raise InvalidInput(f"`{place}` {_NUL}." if place else f"The body {_NUL}.", field=place or None)
        return value


def decode(body: bytes, decoder: "msgspec.json.Decoder[Any]", kind: Any) -> Any:
    """The value in a body. Raises `Malformed` for what is no JSON, `InvalidInput` for what is no `kind`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        return convert(_loads(body), kind)
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"The body is not valid JSON: {_why(body)}.") from error


def find_nul(value: Any) -> str | None:
    """Where inside a decoded JSON value a string or key holds U+0000: `users[0].name`; null when none does."""
    # Places are chains of (the place around, step) until one is asked for: spelled out for every element, a long key
    # around a long list would take gigabytes.
    pending: list[tuple[_Place | None, Any]] = [(None, value)]
    while pending:
        place, item = pending.pop()
        if isinstance(item, str):
            if "\x00" in item:
                return _spelled(place)
        elif isinstance(item, dict):
            for key, inner in item.items():
                if "\x00" in key:
                    return _spelled(place)
                if isinstance(inner, str | dict | list):
                    pending.append(((place, key), inner))
        elif isinstance(item, list):
            pending.extend(
                ((place, index), inner) for index, inner in enumerate(item) if isinstance(inner, str | dict | list)
            )
    return None


_Place = tuple["_Place | None", str | int]


def _spelled(place: "_Place | None") -> str:
    steps: list[str | int] = []
    while place is not None:
        place, step = place
        steps.append(step)
    said = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(steps))
    return said.removeprefix(".")


def holds_nul(value: Any) -> bool:
    """Whether any string or key inside a decoded JSON value holds U+0000."""
    return find_nul(value) is not None


@cache
def _decoder(route: HTTPRouteHandler) -> "tuple[msgspec.json.Decoder[Any], Any]":
    kind = body_type(route)
    return msgspec.json.Decoder(kind if kind is not None else Any), kind


def _require_json(content_type: str, encoding: str) -> None:
    kind, _, options = content_type.lower().partition(";")
    if kind.strip() != "application/json":
        said = f", not `{kind.strip()[:64]}`" if kind else ""
        raise UnsupportedMediaType(f"Send the body as `Content-Type: application/json`{said}.", field="Content-Type")
    charset = options.replace(" ", "").replace('"', "").partition("charset=")[2]
    if charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMediaType("JSON is UTF-8 here; send it so.", field="Content-Type")
    if encoding.lower() not in ("", "identity"):
        raise UnsupportedMediaType("Send the body as it is, without `Content-Encoding`.", field="Content-Encoding")


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The body is not valid JSON: {error}.") from error


def _why(body: bytes) -> str:
    """orjson's words: they tell line and column, and half a surrogate by its name."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return str(error)
    return "it cannot be read"
