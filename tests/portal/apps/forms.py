"""Pages without a browser: what their forms hold, and sending them as a browser without scripts does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass(slots=True)
class FoundForm:
    """A form of a page: where it goes, and what it would send as it stands."""

    action: str
    values: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[FoundForm] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and given.get("method") == "post":
            self.forms.append(FoundForm(given["action"] or ""))
            self._inside = True
        elif tag == "input" and self._inside and _is_sent(given):
            self.forms[-1].values[given["name"] or ""] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def _is_sent(given: dict[str, str | None]) -> bool:
    return bool(given.get("name")) and (given.get("type") not in ("radio", "checkbox") or "checked" in given)


def forms_of(page: str) -> list[FoundForm]:
    """Every form of a page that changes something."""
    parser = _Forms()
    parser.feed(page)
    return parser.forms


async def submit(
    client: httpx.AsyncClient, path: str, action: str, values: Mapping[str, str | list[str]] | None = None, **more: str
) -> httpx.Response:
    """Open a page, fill in its form with this action, send it. The answer is as it came, a redirect too."""
    page = await client.get(path)
    assert page.status_code == 200, page.text
    form = next(form for form in forms_of(page.text) if form.action == action)
    return await client.post(action, data={**form.values, **(values or {}), **more})
