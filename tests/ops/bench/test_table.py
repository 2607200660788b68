"""The table of promises: its commands exist, its page says what the measured numbers say."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ops.bench.table import OWN, PEER, ROWS, chart, page, table
from ops.cli.bench import bench

DOCS = Path(__file__).parents[3] / "docs"


def results(number: float) -> dict:
    """What every benchmark would print if each number in it were this."""
    return {"results": {row.command: {row.value[0]: number} for row in ROWS}}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command)
def test_every_row_names_a_command_that_exists(row):
    words = row.command.split()
    command = bench.commands[words[0]]
    with command.make_context(words[0], words[1:]) as context:
        assert context.command is command


def test_a_promise_is_kept_on_its_side_of_the_bound_only():
    for row in ROWS:
        better, worse = (row.bound * 1.01, row.bound * 0.99) if row.at_least else (row.bound * 0.99, row.bound * 1.01)
        assert row.holds({row.value[0]: better})
        assert not row.holds({row.value[0]: worse})


def test_the_table_owns_up_to_what_falls_short_and_to_what_was_not_measured():
    assert table(results(0.0)).count("**falls short**") == sum(row.at_least for row in ROWS)
    assert table({"results": {}}).count("not measured") == len(ROWS)


def test_the_chart_has_a_bar_for_each_row_against_the_peer():
    picture = ElementTree.fromstring(chart(results(2.5)))
    bars = [rect for rect in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(bars) == len(PEER)
    assert not any(row.name in "".join(picture.itertext()) for row in OWN)


def test_the_page_is_what_the_kept_numbers_make():
    """After a change of the table: `natter bench table --only NAME` for what is new."""
    kept = json.loads((DOCS / "performance.json").read_text())
    assert (DOCS / "performance.md").read_text() == page(kept)
    assert (DOCS / "performance.svg").read_text() == chart(kept)
