"""Answers: pages, parts of pages, redirects."""

from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from litestar import Request, Response
from litestar.enums import MediaType

from portal.http.forms import FormView
from portal.http.policy import POLICY
from portal.http.visit import Visit, visit_of

TEMPLATES = "portal_templates"
"""Where the application's state keeps the environment."""


def page(
    request: Request[Any, Any, Any],
    template: str,
    /,
    *,
    form: FormView | None = None,
    status: int | None = None,
    policy: str | None = None,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """Render a template of a visitor's page. With a form that failed, the form's status and its wait.

    The template is given `visit`, `form`, `now` and the context. `policy` replaces the content security policy.
    """
    visit = visit_of(request)
    sent = dict(headers or {})
    if policy is not None:
        sent[POLICY] = policy
    if form is not None and form.failed:
        # The address stays that of the page that was sent, so that Back does not stop at the failure.
        sent["hx-push-url"] = "false"
        if form.retry_after is not None:
            sent["retry-after"] = str(max(1, round(form.retry_after)))
    html = render(request, template, visit=visit, form=form, **context)
    code = status or (form.status if form is not None else 200)
    return Response(html, status_code=code, media_type=MediaType.HTML, headers=sent)


def render(request: Request[Any, Any, Any], template: str, /, *, visit: Visit, **context: Any) -> str:
    """The text of a template."""
    environment: Environment = request.app.state[TEMPLATES]
    return environment.get_template(template).render(visit=visit, now=visit.deps.clock.now(), **context)


def redirect(request: Request[Any, Any, Any], path: str) -> Response[Any]:
    """Go on to another page of ours: after a form, with GET."""
    if visit_of(request).fragment:
        # A part of a page was asked for, but the whole page shall change.
        return Response(b"", status_code=204, headers={"hx-redirect": path})
    return Response(b"", status_code=303, headers={"location": path})


def own_path(path: str, otherwise: str = "/") -> str:
    """The path, if it leads to a page of ours and nowhere else."""
    if not path.startswith("/") or path.startswith(("//", "/\\")) or len(path) > 500:
        return otherwise
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in path):
        return otherwise
    # Text beyond ASCII has no place in a header.
    return quote(path, safe="/?&=%:@!$'()*+,;~-._#")
