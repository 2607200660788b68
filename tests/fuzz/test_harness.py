"""The coverage-guided harness: it runs on every target, and finds what is planted."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.planted import PLANTED
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.version_info >= (3, 14), reason="atheris has no wheel for this machine"
)
RUNS = {"packet": 4_000, "polled": 1_500, "stream": 150, "frames": 150, **dict.fromkeys(PLANTED, 500_000)}


def fuzz(target: str, corpus: Path) -> "subprocess.CompletedProcess[str]":
    """A short run; with one seed of chance, so that it goes the same way each time."""
    command = [sys.executable, "-m", "tests.fuzz.harness", target, "--seed", "1", "--corpus", str(corpus)]
    command += ["--runs", str(RUNS[target])]
    return subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str, tmp_path: Path) -> None:
    ran = fuzz(target, tmp_path)
    assert ran.returncode == 0, ran.stderr[-3_000:]
    assert f"Done {RUNS[target]} runs" in ran.stderr
    assert not list(tmp_path.glob("crash-*"))


@pytest.mark.parametrize("target", PLANTED)
def test_what_is_planted_is_found(target: str, tmp_path: Path) -> None:
    ran = fuzz(target, tmp_path)
    assert ran.returncode != 0, ran.stderr[-3_000:]
    assert list(tmp_path.glob("crash-*"))
