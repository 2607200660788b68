"""The file: TOML, the same bytes for the same configuration, so that it can be kept and compared by git."""

import tomllib
from dataclasses import dataclass
from typing import Any, Final

import tomli_w

from kernel.errors import InvalidInput
from ops.app_config.registry import LEFT_OUT, SECTIONS
from ops.app_config.section import Items, Problems

VERSION: Final = 1
"""Of the form of the file. A newer one is refused; an older one is read for ever."""


class BadFile(InvalidInput):
    """The file of a configuration cannot be used; the message has a line for each problem."""


@dataclass(frozen=True, slots=True)
class Document:
    """Sections by name, those only that the file has."""

    sections: dict[str, Items]


def write_document(document: Document) -> str:
    """The file's text. Nothing of it depends on which app it is of, or when it was made."""
    body: dict[str, Any] = {"version": VERSION}
    for section in SECTIONS:
        if section.name in document.sections:
            body[section.name] = section.write(document.sections[section.name])
    return _header(document) + "\n" + tomli_w.dumps(_sorted(body), indent=2)


def read_document(text: str) -> Document:
    """What a file says. Raises `BadFile` with everything that is wrong in it by itself, each with its path."""
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFile(f"This is not TOML: {error}.") from None
    version = body.pop("version", None)
    if type(version) is not int or version < 1:
        raise BadFile(f"version: must be there and a whole number; this natter writes {VERSION}.")
    if version > VERSION:
        raise BadFile(f"version: {version} is newer than what this natter reads, {VERSION}. Use a newer natter.")
    problems, sections = Problems(), {}
    known = {section.name: section for section in SECTIONS}
    for name, table in body.items():
        if name not in known:
            problems.add(name, f"there is no such section; there are {', '.join(known)}.")
        elif not isinstance(table, dict):
            problems.add(name, "must be a table.")
        else:
            sections[name] = known[name].check(table, problems)
    refuse(problems)
    return Document(sections)


def refuse(problems: Problems) -> None:
    """Raises `BadFile` when there are any."""
    if problems.found:
        raise BadFile("\n".join(problems.found), problems=problems.found)


def _sorted(table: dict[str, Any]) -> dict[str, Any]:
    """Sections stay in the registry's order, all within them is sorted."""
    return {name: _by_name(value) for name, value in table.items()}


def _by_name(value: Any) -> Any:
    return {name: _by_name(value[name]) for name in sorted(value)} if isinstance(value, dict) else value


def _header(document: Document) -> str:
    lines = [
        "The configuration of an app, by `natter app pull`; `natter app push` writes it to one.",
        "A section that is not here is left as it is; one that is here and empty is emptied.",
        "",
        "Left out:",
        *(f"  {what}: {why}" for what, why in LEFT_OUT),
    ]
    lines.extend(
        f"  {section.name}: {section.why} (--with {section.name} has them)"
        for section in SECTIONS
        if section.asked_for and section.name not in document.sections
    )
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
