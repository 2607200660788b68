"""A run in words."""

from collections import Counter

from ops.chaos.checker import Violation
from ops.chaos.history import History


def report(history: History, violations: list[Violation], *, events: bool = True) -> str:
    """What a run should tell: the seed, the violations, what was done and, with `events`, what was broken."""
    outcomes = Counter((o.kind, o.outcome) for o in history.operations)
    lines = [f"seed {history.seed}: {len(violations)} violations"]
    lines += [f"  {violation}" for violation in violations[:30]]
    lines += [f"  {kind} {outcome}: {count}" for (kind, outcome), count in sorted(outcomes.items())]
    refusals = Counter(o.answer["code"] for o in history.operations if "code" in o.answer)
    lines += [f"  refused with {code}: {count}" for code, count in refusals.items()]
    start = history.events[0][0] if history.events else 0.0
    lines += [f"  {at - start:6.1f} s {what}" for at, what in history.events[:60] if events]
    heard = sum(len(c.heard) for c in history.connections)
    lines.append(
        f"  {len(history.connections)} connections heard {heard} entries; settled in {history.settle_seconds:.1f} s"
    )
    return "\n".join(lines)
