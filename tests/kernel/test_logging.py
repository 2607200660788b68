"""Lines of the log: one JSON object each, secrets masked, never a failure."""

import io
import json
import logging
import sys

import pytest
import structlog

from kernel.logging import configure_logging, get_logger


class Written:
    """The log as it leaves the process."""

    def __init__(self) -> None:
        self.raw = io.BytesIO()

    def lines(self):
        return [json.loads(line) for line in self.raw.getvalue().splitlines()]


@pytest.fixture
def written(monkeypatch):
    """What is logged; settings are put back."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = Written()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(written.raw))
        configure_logging("node")
    yield written
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


@pytest.mark.parametrize("make", [get_logger, logging.getLogger], ids=["own", "library"])
def test_a_line_begins_with_when_how_bad_who_and_what(written, make):
    make("one").warning("it.happened")
    (line,) = written.lines()
    assert list(line)[:4] == ["timestamp", "level", "service", "event"]
    assert (line["level"], line["service"], line["event"]) == ("warning", "node", "it.happened")


def test_levels_below_the_least_are_not_written(written):
    get_logger("one").debug("quiet")
    logging.getLogger("two").debug("quiet")
    assert written.lines() == []


def test_secrets_are_masked_by_key_and_by_look(written):
    get_logger("one").info(
        "x", token="a", apiKey="b", path="/v1/sk_0123456789abcdef", said="with eyJab.cd.ef in it", plain="snake_case"
    )
    (line,) = written.lines()
    assert (line["token"], line["apiKey"]) == ("***", "***")
    assert (line["path"], line["said"], line["plain"]) == ("/v1/***", "with *** in it", "snake_case")


def test_a_traceback_is_a_part_of_the_line(written):
    try:
        raise ValueError("sk_0123456789abcdef leaked")
    except ValueError:
        get_logger("one").exception("it.failed")
    (line,) = written.lines()
    assert line["level"] == "error"
    assert "ValueError: *** leaked" in line["exception"]


def test_whatever_is_logged_makes_a_line(written):
    get_logger("one").info("odd", number=2**80, half="\ud800", thing=object(), keys={1: 2})
    assert written.lines()[0]["number"] == 2**80


def test_a_reader_that_went_away_fails_nobody(written):
    written.raw.close()
    get_logger("one").info("lost")
