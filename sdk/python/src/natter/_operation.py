"""A route of the API as the SDK knows it, and one call of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from ._model import Model

T = TypeVar("T")
M = TypeVar("M", bound=Model)
N = TypeVar("N", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[T]):
    """What both clients know of a route. The resources hold one for each."""

    name: str
    """`operationId` in the API's description."""
    method: str
    path: str
    answer: Callable[[Any], T]
    """Makes the result out of decoded JSON, null where there is no content."""
    acts: Literal["query", "body"] | None = None
    """Where the user goes who asks or acts, when the route takes one from a server."""
    keyed: bool = False
    """The route takes `Idempotency-Key`."""
    fresh_id: str | None = None
    """The prefix of the id that the client makes when the caller gives none."""
    repeatable: bool = True
    """To do it twice is to do it once, with the key or id where there is one. Otherwise a call whose answer was lost
    is not made again."""
    removes: bool = False
    """It is about something not being there: where an earlier attempt's answer was lost, `NotFound` means done."""
    nullable: frozenset[str] = frozenset()
    """Fields of the body for which `None` says something; elsewhere it leaves the field out."""
    public: bool = False
    """No credential is sent."""


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """An operation with its arguments, before the client adds what is its own."""

    operation: Operation[T]
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    base: str | None = None
    """Another address than the client's."""

    def route(self) -> str:
        """The path with its parameters. Raises `ValueError` for an empty one, which would name another route."""
        for name, value in self.path.items():
            if not value:
                raise ValueError(f"{name} is empty")
        return self.operation.path.format(**{name: quote(value, safe="") for name, value in self.path.items()})


def nothing(_: Any) -> None:
    """The result of a route that answers without content."""


def document(data: Any) -> dict[str, Any]:
    """The result of a route that answers with any JSON object."""
    return dict(data)


def one(name: str, model: type[M]) -> Callable[[Any], M]:
    """The result of a route that answers `{name: object}`."""
    return lambda data: model.from_dict(data[name])


def many(name: str, model: type[M]) -> Callable[[Any], list[M]]:
    """The result of a route that answers `{name: [object]}`."""
    return lambda data: [model.from_dict(item) for item in data[name]]


def either(recovered: type[M], fresh: type[N]) -> Callable[[Any], M | N]:
    """The result of a route that answers one of two objects, told apart by `recovered`."""
    return lambda data: recovered.from_dict(data) if data["recovered"] else fresh.from_dict(data)
