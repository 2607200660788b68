"""Read an app's configuration, and let it be as a file says."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from control_plane import audit
from control_plane.apps.rules import require_confirmation
from kernel.errors import Conflict, NatterError
from natter import NatterError as ServerError
from ops.app_config.changes import Change, difference
from ops.app_config.document import Document, refuse
from ops.app_config.registry import SECTIONS
from ops.app_config.section import Items, Path, Problems, Section, Whole
from ops.app_config.target import Target, words_of

_MOST_NOTED: Final = 200
"""Lines of an audit entry."""


class Changed(Conflict):
    """The app's configuration is not what the shown difference was made of. Look again."""

    code = "changed_meanwhile"
    title = "The configuration was changed meanwhile"


@dataclass(slots=True)
class Outcome:
    """What a push did. `failed` is the item that could not be written, with the reason; `left` is what comes after."""

    done: list[tuple[str, str, Path]] = field(default_factory=list)
    """Sign, section and item."""
    failed: str | None = None
    reason: str | None = None
    left: list[Change] = field(default_factory=list)


async def pull(target: Target, *, asked_for: Collection[str] = ()) -> Document:
    """The app's configuration. `asked_for`: sections of one environment to have, too."""
    wanted = [section.name for section in SECTIONS if not section.asked_for or section.name in asked_for]
    live = await _live(target)
    return Document({name: live[name] for name in wanted})


async def changes_of(target: Target, document: Document) -> list[Change]:
    """What a push would change, having found nothing wrong with it. Raises `BadFile`."""
    return (await _compared(target, document))[1]


async def _compared(target: Target, document: Document) -> tuple[dict[str, Items], list[Change]]:
    live = await _live(target)
    whole: dict[str, Items] = {**live, **document.sections}
    problems = Problems()
    for section in SECTIONS:
        section.judge(whole, live, target, problems)
    refuse(problems)
    wish = {name: _section(name).normal(items, whole) for name, items in document.sections.items()}
    return live, difference(live, wish)


async def push(
    target: Target, document: Document, shown: list[Change], *, tell: Callable[[str], None] = lambda line: None
) -> Outcome:
    """Write what was `shown`; `tell` hears of each item that is durable. In production `target.confirm` is the name.

    Two entries in the audit log frame it, so that one that was killed is seen there. What fails ends it: the outcome
    says what was done and what is left, and the same push again goes on from there. Raises `InvalidInput` without
    confirmation, `BadFile`, and `Changed` where the app is not as it was shown; nothing was done then.
    """
    require_confirmation(await target.app(), target.confirm, "change the configuration of")
    live, changes = await _compared(target, document)
    if changes != shown:
        raise Changed("The app's configuration was changed meanwhile. Look at the difference again.")
    outcome = Outcome()
    if not shown:
        return outcome
    await _note(target, "config_push_began", changes=_lines(shown))
    try:
        await _write(target, document, live, outcome, tell)
    except (NatterError, ServerError) as error:
        outcome.reason = error.message if isinstance(error, NatterError) else words_of(error)
        outcome.left = await _left(target, document, shown, outcome)
    await _note(
        target,
        "config_push_ended",
        done=[_named(*item) for item in outcome.done[:_MOST_NOTED]],
        failed=outcome.failed,
        reason=outcome.reason,
        left=_lines(outcome.left),
    )
    return outcome


async def _write(
    target: Target, document: Document, live: dict[str, Items], outcome: Outcome, tell: Callable[[str], None]
) -> None:
    # The app is read again after each section that wrote: what is there may say something else now in the next one.
    as_of = 0
    for late, sections in ((False, SECTIONS), (True, SECTIONS[::-1])):
        for section in sections:
            if section.name not in document.sections:
                continue
            if len(outcome.done) > as_of:
                live, as_of = await _live(target), len(outcome.done)
            wish = section.normal(document.sections[section.name], {**live, **document.sections})
            held = live[section.name]
            for path in sorted(wish):
                before, after = held.get(path), wish[path]
                if before == after or (before is not None and section.late(before, after)) is not late:
                    continue
                await _do(outcome, tell, section, "~" if path in held else "+", path, section.put(target, path, after))
            for path in sorted(held.keys() - wish.keys()) if late else ():
                await _do(outcome, tell, section, "-", path, section.remove(target, path))


async def _do(
    outcome: Outcome, tell: Callable[[str], None], section: Section, sign: str, path: Path, deed: Any
) -> None:
    outcome.failed = _named(sign, section.name, path)
    await deed
    tell(outcome.failed)
    outcome.failed = None
    outcome.done.append((sign, section.name, path))


def _named(sign: str, section: str, path: Path) -> str:
    return f"{sign} {'.'.join((section, *path))}"


async def _live(target: Target) -> dict[str, Items]:
    raw: Whole = {section.name: await section.read(target) for section in SECTIONS}
    return {section.name: section.normal(raw[section.name], raw) for section in SECTIONS}


async def _left(target: Target, document: Document, shown: list[Change], outcome: Outcome) -> list[Change]:
    """What is still different; where the app cannot be asked any more, what of the shown was not done."""
    try:
        return await changes_of(target, document)
    except (NatterError, ServerError):
        done = {(section, path) for _, section, path in outcome.done}
        return [each for each in shown if not any(each.is_of(*item) for item in done)]


async def _note(target: Target, verb: str, **data: Any) -> None:
    app = await target.app()
    async with target.change() as ctx:
        await audit.record(
            ctx, f"app.{verb}", app.public_id, organization_id=app.organization_id, app_id=app.id, **data
        )


def _lines(changes: list[Change]) -> list[str]:
    lines = [f"{change.section}  {change.line()}" for change in changes[:_MOST_NOTED]]
    return [*lines, f"and {len(changes) - _MOST_NOTED} more"] if len(changes) > _MOST_NOTED else lines


def _section(name: str) -> Section:
    return next(section for section in SECTIONS if section.name == name)
