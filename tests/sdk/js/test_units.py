"""The SDK's unit tests, which run under Node's own test runner."""

import subprocess
from pathlib import Path

from tests.clients import node_packages
from tests.sdk.js.package import built


def test_the_unit_tests_pass() -> None:
    built()
    files = sorted(str(path) for path in (Path(__file__).parent / "unit").glob("*.test.mjs"))
    run = subprocess.run([node_packages.NODE, "--test", *files], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-8000:]
