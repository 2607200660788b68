"""`/docs/…`: open to everybody, and the same for everybody."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get

from portal.docs.markdown import headings, to_html
from portal.docs.openapi import Reference, read_reference
from portal.http.guard import public
from portal.http.page import page
from portal.http.scope import VisitDependency, load_organizations

_FOLDER: Final = Path(__file__).parent / "reference"
_HOW_MADE: Final = re.compile(r"^Generated from the code by .*\n", re.MULTILINE)
Pages = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A page of the generated reference: its heading, what follows, and the headings inside."""

    title: str
    html: Any
    headings: list[tuple[int, str, str]]


@public
@get("/docs/api")
async def show_api(request: Pages, visit: VisitDependency) -> Response[str]:
    """Every operation, read from the OpenAPI document."""
    return await _docs_page(request, visit, "docs/api.html", reference=_reference(visit.deps.openapi))


@public
@get("/docs/realtime")
async def show_realtime(request: Pages, visit: VisitDependency) -> Response[str]:
    """Connecting, events, endings, resume."""
    return await _docs_page(request, visit, "docs/text.html", text=_text("realtime.md"))


@public
@get("/docs/errors")
async def show_errors(request: Pages, visit: VisitDependency) -> Response[str]:
    """Every error code."""
    return await _docs_page(request, visit, "docs/text.html", text=_text("errors.md"))


async def _docs_page(request: Pages, visit: VisitDependency, template: str, **context: Any) -> Response[str]:
    if visit.person is not None and not visit.fragment:
        await load_organizations(visit, visit.person)
    return page(request, template, **context)


@cache
def _reference(document: bytes) -> Reference:
    return read_reference(document)


@cache
def _text(name: str) -> Text:
    # What nodes and workers say to each other is no matter of who builds on Natter.
    source, _, _ = (_FOLDER / name).read_text().partition("\n## Inside an installation\n")
    title, _, rest = _HOW_MADE.sub("", source).partition("\n")
    html = to_html(rest, rows_by_code=name == "errors.md")
    return Text(title.removeprefix("# "), html, [found for found in headings(rest) if found[0] <= 3])


ROUTES = [show_api, show_realtime, show_errors]
