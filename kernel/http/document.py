"""A document that never changes while the process runs, such as `/v1/openapi.json`: bytes in memory, with an ETag."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from kernel.gcra import rate
from kernel.http.any_origin import readable_by_any_page
from kernel.http.operation import answers
from kernel.http.ratelimit import limited_by_address


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is served: where, and what the API's description says of it."""

    path: str
    operation_id: str
    summary: str
    description: str
    answer: str


OPENAPI: Final = Document(
    "/v1/openapi.json",
    "getDescription",
    "Get this document",
    "The description of this API in OpenAPI 3.1.",
    "An OpenAPI 3.1 document.",
)
ASYNCAPI: Final = Document(
    "/v1/asyncapi.json",
    "getEventDescription",
    "Get the description of all socket events",
    "Every event that clients get and may send over Socket.IO, with schemas and examples, in AsyncAPI 3.0.",
    "An AsyncAPI 3.0 document.",
)


def document_route(what: Document, content: bytes, *, for_any_page: bool = False) -> HTTPRouteHandler:
    """A public GET of JSON. `for_any_page` lets pages of any origin read it, where the application does not say so
    already."""
    headers = {"etag": f'"{sha256(content).hexdigest()[:32]}"', "cache-control": "public, max-age=300"}

    @get(
        what.path,
        operation_id=what.operation_id,
        summary=what.summary,
        description=what.description,
        tags=["Reference"],
        security=[{}],
        opt=answers((200, dict[str, Any], what.answer), (304, None, "It is the one that you have.")),
        middleware=[readable_by_any_page, limited_by_address("documents.ip", rate(5, 100))] if for_any_page else [],
        sync_to_thread=False,
    )
    def document(request: Request[Any, Any, Any]) -> Response[bytes]:
        known = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
        if any(tag in ("*", headers["etag"]) for tag in known):
            return Response(b"", status_code=304, headers=headers, media_type="application/json")
        return Response(content, headers=headers, media_type="application/json")

    return document
