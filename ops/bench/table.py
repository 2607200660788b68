"""The table of promises: each row's benchmark, what it must reach, and the page that shows what was measured."""

import asyncio
import json
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from math import log
from pathlib import Path
from typing import Any, Final

import msgspec

from kernel.clock import rfc3339
from kernel.logging import get_logger

_log = get_logger(__name__)


class Row(msgspec.Struct, frozen=True):
    """One promise. `value` is the path of the number in the benchmark's JSON; `at_least` says which way is better."""

    name: str
    command: str
    """What follows `natter bench`."""
    value: tuple[str, ...]
    bound: float
    at_least: bool
    unit: str = "×"

    def number(self, result: dict[str, Any]) -> float:
        """The row's number in what its benchmark printed."""
        found: Any = result
        for name in self.value:
            found = found[name]
        return float(found)

    def holds(self, result: dict[str, Any]) -> bool:
        """Whether the promise is kept."""
        number = self.number(result)
        return number >= self.bound if self.at_least else number <= self.bound

    def show(self, number: float) -> str:
        """A number with its unit."""
        return f"{number:g} {self.unit}" if self.unit != "×" else f"×{number:g}"


RATIO: Final = ("ratio",)
GRANTED: Final = ("ratio_to_granted",)
PEER: Final = (
    Row("Fan-out, a room of 100: deliveries per core", "fanout --room 100 --peer node", RATIO, 1.5, True),
    Row("Fan-out, a room of 1,000", "fanout --room 1000 --peer node", RATIO, 1.4, True),
    Row("Fan-out, a room of 5,000", "fanout --room 5000 --peer node", RATIO, 1.2, True),
    Row(
        "Fan-out, a room of 1,000 whose clients begin by polling and upgrade",
        "fanout --room 1000 --polling --peer node",
        RATIO,
        1.0,
        True,
    ),
    Row("Acknowledged events that touch no database, per core", "acks --peer node", RATIO, 2.0, True),
    Row("The same with 1,000 clients instead of 100", "acks --sockets 1000 --peer node", RATIO, 2.0, True),
    Row("The same with eight events of each in flight", "acks --in-flight 8 --peer node", RATIO, 2.0, True),
    Row("Durable sends a second, rooms of ten", "send --peer node", RATIO, 3.0, True),
    Row("REST pages of history, per core (peer: Fastify and pg)", "history --peer node", RATIO, 1.5, True),
    Row("Memory of an idle connection", "idle --peer node", RATIO, 0.6, False),
)
OWN: Final = (
    Row("Neighbours' p99 while one channel is written at full speed", "neighbours", RATIO, 2.0, False),
    Row("The same at what a plan lets one channel take", "neighbours --plan growth", RATIO, 2.0, False),
    Row("A neighbour app's p99 while another floods, on the free plan", "noisy --plan free", RATIO, 1.2, False),
    Row("The same on the growth plan: 1,000 sends and 1,000 reads a second", "noisy", RATIO, 1.2, False),
    Row("The same, over what it is when that app asks only for what its plan grants", "noisy", GRANTED, 1.2, False),
    Row("The same on the free plan", "noisy --plan free", GRANTED, 1.2, False),
    Row("Others' p99 while 5,000 clients come back at once", "connect --herd", RATIO, 2.0, False),
    Row("p99 from send to delivery at half of the maximum rate", "send --latency", ("half_p99_ms",), 50, False, "ms"),
    Row("A page of history in 10,000,000 messages, over one in 10,000", "depth", RATIO, 1.3, False),
    Row("What a member does all day in a channel of 100,000, over one of 100: the dearest", "crowd", RATIO, 2.0, False),
    Row("Sync: 100 of 5,000 channels changed in 10,000,000 entries, median", "sync", ("ms",), 30, False, "ms"),
)
ROWS: Final = (*PEER, *OWN)


async def measure(rows: Sequence[Row], folder: Path) -> dict[str, Any]:
    """Run the rows' benchmarks one after another, and keep what each printed in `performance.json`, which is added to.

    Page and picture are written anew after each, so that a run that is cut short leaves what it has.
    """
    file = folder / "performance.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"results": {}}
    for command in dict.fromkeys(row.command for row in rows):
        words = ["-m", "ops.cli", "bench", *command.split(), "--json"]
        process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        if process.returncode != 0:
            raise RuntimeError(f"natter bench {command} ended with {process.returncode}")
        result = json.loads(output.splitlines()[-1])
        kept["machine"] = {"processor": _processor(), "python": platform.python_version()}
        kept["results"][command] = {"at": rfc3339(datetime.now(UTC)), **result}
        file.write_text(json.dumps(kept, indent=1) + "\n")
        write(kept, folder)
        for row in rows:
            if row.command == command:
                number = row.number(result)
                _log.info("bench.measured", row=row.name, number=row.show(number), holds=row.holds(result))
    return kept


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def table(kept: dict[str, Any]) -> str:
    """The rows in Markdown."""
    lines = ["| what | promised | measured | |", "| --- | --- | --- | --- |"]
    for row in ROWS:
        result = _result(row, kept)
        promised = ("at least " if row.at_least else "at most ") + row.show(row.bound)
        measured = row.show(row.number(result)) if result else "–"
        state = ("holds" if row.holds(result) else "**falls short**") if result else "not measured"
        lines.append(f"| {row.name} | {promised} | {measured} | {state} |")
    return "\n".join(lines)


def _result(row: Row, kept: dict[str, Any]) -> dict[str, Any] | None:
    """What was kept of the row's benchmark, if it told the row's number when it ran."""
    result: dict[str, Any] | None = kept["results"].get(row.command)
    return result if result is not None and row.value[0] in result else None


def page(kept: dict[str, Any]) -> str:
    """The page: `docs/performance.md`."""
    template = files("ops.bench").joinpath("performance.md").read_text()
    machine = kept.get("machine", {"processor": "–", "python": "–"})
    commands = "\n".join(f"| {row.name} | `natter bench {row.command}` |" for row in ROWS)
    return template.format(table=table(kept), commands=commands, **machine)


def write(kept: dict[str, Any], folder: Path) -> None:
    """Write page and picture beside the numbers."""
    (folder / "performance.md").write_text(page(kept))
    (folder / "performance.svg").write_text(chart(kept))


def chart(kept: dict[str, Any]) -> str:
    """The ratios against the Node.js peer as a picture: bars on a logarithmic scale, a line where the promise is."""
    rows = [(row, row.number(kept["results"][row.command])) for row in PEER if row.command in kept["results"]]
    height = 56 + 44 * len(rows)
    parts = [_HEAD.format(height=height)]
    for power in (0.25, 0.5, 1, 2, 4, 8, 16, 32):
        at = _place(power)
        kind = "one" if power == 1 else "grid"
        parts.append(f'<line class="{kind}" x1="{at:.0f}" x2="{at:.0f}" y1="28" y2="{height - 12}"/>')
        parts.append(f'<text class="scale" x="{at:.0f}" y="20">×{power:g}</text>')
    for index, (row, number) in enumerate(rows):
        y = 40 + 44 * index
        one, end, wanted = _place(1), _place(number), _place(row.bound)
        parts.append(f'<text class="name" x="{_LEFT}" y="{y + 9}">{row.name}</text>')
        parts.append(
            f'<rect class="bar" x="{min(one, end):.0f}" y="{y + 15}" width="{abs(end - one):.0f}" height="14" rx="3"/>'
        )
        parts.append(f'<line class="wanted" x1="{wanted:.0f}" x2="{wanted:.0f}" y1="{y + 11}" y2="{y + 33}"/>')
        # Beside the bar, and beside the mark where that is farther out.
        side, at = ("start", max(end, wanted) + 8) if number >= 1 else ("end", min(end, wanted) - 8)
        parts.append(f'<text class="value" text-anchor="{side}" x="{at:.0f}" y="{y + 27}">{row.show(number)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


_LEFT: Final = 24
_WIDTH: Final = 760


def _place(ratio: float) -> float:
    """Pixels from the left: from ×1/5 to ×40, logarithmic."""
    return _LEFT + (_WIDTH - 2 * _LEFT - 60) * (log(min(max(ratio, 0.2), 40)) - log(0.2)) / (log(40) - log(0.2))


_HEAD: Final = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" width="760" height="{height}"
 role="img" aria-label="Natter against a plain Node.js server, ratios">
<style>
text {{ font: 13px system-ui, sans-serif; fill: #33363d }}
.scale {{ font-size: 12px; fill: #6b7080; text-anchor: middle }}
.value {{ font-weight: 600 }}
.grid {{ stroke: #d9dbe1 }} .one {{ stroke: #6b7080 }}
.bar {{ fill: #5b5bd6 }} .wanted {{ stroke: #d97706; stroke-width: 3 }}
@media (prefers-color-scheme: dark) {{
 text {{ fill: #e6e7eb }} .scale {{ fill: #9aa0ae }} .grid {{ stroke: #2c2f36 }} .bar {{ fill: #8b8bf5 }}
}}
</style>"""
