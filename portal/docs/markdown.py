"""Markdown of ours as HTML: CommonMark and tables, headings with anchors, never raw HTML."""

import re
from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from portal.docs.highlight import highlight

_MARKDOWN: Final = MarkdownIt(
    "commonmark",
    # Text, not `Markup`: what the renderer puts around it is markup already.
    {"html": False, "highlight": lambda code, language, _: str(highlight(code, {"js": "mjs"}.get(language, language)))},
).enable("table")
_NOT_IN_ANCHORS: Final = re.compile(r"[^a-z0-9._]+")


_PAGES: Final = {"errors.md": "/docs/errors", "realtime.md": "/docs/realtime", "rest.md": "/docs/api"}
"""Where the files of the reference are read here."""


def to_html(text: str, *, rows_by_code: bool = False) -> Markup:
    """A whole text. Headings get their words as `id`, to be linked to; tables can scroll by themselves.

    `rows_by_code`: rows of tables that begin with a code get that code as `id`.
    """
    tokens = _MARKDOWN.parse(text)
    row: Token | None = None
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(content.content))
        elif opening.type == "tr_open":
            row = opening
        elif opening.type == "td_open" and row is not None:
            if rows_by_code and content.content.startswith("`"):
                row.attrSet("id", content.content.strip("`"))
            row = None  # its other cells do not name it
        for link in content.children or ():
            if link.type == "link_open":
                link.attrSet("href", _PAGES.get(str(link.attrGet("href")), str(link.attrGet("href"))))
    return Markup(_MARKDOWN.renderer.render(_framed(tokens), _MARKDOWN.options, {}))  # noqa: S704 - raw HTML is off


def inline(text: str) -> Markup:
    """A phrase, without a paragraph around it."""
    return Markup(_MARKDOWN.renderInline(text))  # noqa: S704 - raw HTML is off


def anchor(words: str) -> str:
    """`Events to the server` is `events-to-the-server`."""
    return _NOT_IN_ANCHORS.sub("-", words.lower()).strip("-")


def headings(text: str) -> list[tuple[int, str, str]]:
    """`(level, words, anchor)` of each heading, in order."""
    tokens = _MARKDOWN.parse(text)
    return [
        (int(opening.tag[1]), content.content.replace("`", ""), anchor(content.content))
        for opening, content in pairwise(tokens)
        if opening.type == "heading_open"
    ]


def _framed(tokens: list[Token]) -> list[Token]:
    """Tables in a frame that scrolls sideways, so that the page does not; by keyboard, too."""
    framed: list[Token] = []
    for token in tokens:
        if token.type == "table_open":
            attributes: dict[str, str | int | float] = {"class": "table-frame", "tabindex": "0"}
            framed.append(Token("frame_open", "div", 1, attrs=attributes, block=True))
        framed.append(token)
        if token.type == "table_close":
            framed.append(Token("frame_close", "div", -1, block=True))
    return framed
