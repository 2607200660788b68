"""Coverage-guided fuzzing by atheris: `python -m tests.fuzz.harness TARGET [--seconds N | --runs N] [--corpus FOLDER]`.

A crash is an exception other than the target's documented ones, a run of over 5 s, or more than 1 GB of memory; its
input is left in the corpus folder as `crash-…`. `make fuzz SECONDS=60` runs every target for that long.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["data_plane.gateway", "kernel.http.body", "tests.fuzz.planted"]):
    from tests.fuzz.planted import PLANTED
    from tests.fuzz.targets import TARGETS

from tests.fuzz.seeds import SEEDS

LONGEST_INPUT = 70_000
"""Bytes: a little more than a packet may have."""


def main(arguments: list[str]) -> None:
    """Fuzz one target. Does not return: libFuzzer ends the process, with 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, *PLANTED])
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=0, help="of chance; 0 takes one anew")
    parser.add_argument("--corpus", type=Path)
    chosen = parser.parse_args(arguments)
    folder = chosen.corpus or Path(tempfile.mkdtemp(prefix="natter-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS.get(chosen.target, SEEDS["packet"])):
        (folder / f"seed-{number}").write_bytes(seed)
    options = [
        sys.argv[0],
        str(folder),
        f"-max_total_time={chosen.seconds}",
        f"-runs={chosen.runs}",
        f"-seed={chosen.seed}",
        f"-max_len={LONGEST_INPUT}",
        f"-artifact_prefix={folder}/",
        "-timeout=5",
        "-rss_limit_mb=1024",
        "-verbosity=1",
    ]
    atheris.Setup(options, {**TARGETS, **PLANTED}[chosen.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
