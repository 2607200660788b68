"""A document that never changes while the process runs, such as `/v1/openapi.json`: bytes in memory, with an ETag."""

from hashlib import sha256
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from kernel.gcra import rate
from kernel.http.any_origin import readable_by_any_page
from kernel.http.operation import answers
from kernel.http.ratelimit import limited_by_address


def document_route(
    path: str, content: bytes, *, media_type: str = "application/json", for_any_page: bool = False
) -> HTTPRouteHandler:
    """A public GET. `for_any_page` lets pages of any origin read it, where the application does not say so already."""
    headers = {"etag": f'"{sha256(content).hexdigest()[:32]}"', "cache-control": "public, max-age=300"}

    @get(
        path,
        operation_id="getDescription",
        summary="Get this document",
        tags=["Reference"],
        security=[{}],
        opt=answers((200, dict[str, Any], "An OpenAPI 3.1 document."), (304, None, "It is the one that you have.")),
        middleware=[readable_by_any_page, limited_by_address("documents.ip", rate(5, 100))] if for_any_page else [],
        sync_to_thread=False,
    )
    def document(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The description of this API in OpenAPI 3.1."""
        known = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
        if any(tag in ("*", headers["etag"]) for tag in known):
            return Response(b"", status_code=304, headers=headers, media_type=media_type)
        return Response(content, headers=headers, media_type=media_type)

    return document
