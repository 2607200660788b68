"""The templates' environment. A template lies beside the routes that render it: `members/page.html`."""

from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kernel.ids import format_id
from portal.http import wording
from portal.http.static import StaticFiles

FOLDER: Final = Path(__file__).parent.parent
_ICONS: Final = FOLDER / "layout" / "icons"

HTMX: Final = {
    "allowEval": False,
    "allowScriptTags": False,
    "selfRequestsOnly": True,
    # Pages hold what only their reader may see: nothing of them is kept in the browser's storage.
    "historyCacheSize": 0,
    "includeIndicatorStyles": False,
    "scrollIntoViewOnBoost": True,
    "timeout": 20_000,
    # Failures are pages too, or words in the corner: show them.
    "responseHandling": [{"code": "204", "swap": False}, {"code": "...", "swap": True}],
}


@cache
def make_environment(static: StaticFiles) -> Environment:
    """Everything is escaped, and a name that nobody gave is an error. What was compiled once is kept."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(htmx_config=msgspec.json.encode(HTMX).decode())
    environment.globals.update(icon=icon, static=static.url, format_id=format_id, time_element=wording.time_element)
    environment.filters.update(
        number=wording.number,
        size=wording.size,
        plural=wording.plural,
        absolute=wording.absolute,
        date=wording.date,
    )
    return environment


@cache
def icon(name: str, size: int = 16) -> Markup:
    """An icon of `layout/icons`, as large as the text beside it; screen readers skip it."""
    drawing = (_ICONS / f"{name}.svg").read_text().strip()
    attributes = f'<svg class="icon" width="{size}" height="{size}" aria-hidden="true" focusable="false"'
    # The files are ours.
    return Markup(drawing.replace("<svg", attributes, 1))  # noqa: S704
