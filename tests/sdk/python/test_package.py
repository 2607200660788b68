"""What is published: a wheel that installs into an empty environment, and runs the code of its README there."""

import asyncio
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.clients.installation import Tenant

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "sdk" / "python"
UV = Path(sys.executable).with_name("uv")
NAME = re.compile(r"^[A-Za-z0-9_.-]+")


def run(*command: object, **options: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    out = ("--out-dir", folder, "--offline", "--no-build-isolation", "--python", sys.executable)
    run(UV, "build", "--quiet", "--wheel", *out, SOURCE)
    (built,) = folder.glob("*.whl")
    return built


def needed(*names: str) -> set[str]:
    """Distributions and what they need without extras, among what is installed here."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop().lower()
        if name in found:
            continue
        try:
            requirements = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:
            continue  # this Python needs it not
        found.add(name)
        for requirement in requirements:
            wanted, _, condition = requirement.partition(";")
            if "extra ==" not in condition:
                matched = NAME.match(wanted)
                assert matched is not None
                waiting.append(matched[0])
    return found


def installed(folder: Path, wheel: Path, *extra: str) -> Path:
    """The Python of an environment that holds the wheel and what it says that it needs, from no network."""
    run(UV, "venv", "--quiet", "--offline", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for name in needed("natter-sdk", *extra) - {"natter-sdk"}:
        for file in metadata.files(name) or ():
            source, target = Path(str(file.locate())), site / file
            if ".." not in file.parts and source.suffix != ".pyc" and source.exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source)
    return python


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `pip install natter-sdk` makes it."""
    return installed(tmp_path_factory.mktemp("empty") / "venv", wheel)


@pytest.fixture(scope="module")
def realtime(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `pip install 'natter-sdk[realtime]'` makes it."""
    return installed(tmp_path_factory.mktemp("empty") / "venv", wheel, "python-socketio", "aiohttp")


def test_the_wheel_holds_the_package_and_its_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"natter/__init__.py", "natter/py.typed", "natter/resources/messages.py"} <= set(names)
    assert {name.split("/")[0] for name in names} == {"natter", "natter_sdk-0.1.0.dist-info"}


async def test_the_readmes_code_runs_in_an_empty_environment(realtime: Path, tenant: Tenant, url: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (SOURCE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    given = {"NATTER_SECRET_KEY": tenant.secret_key, "NATTER_URL": url, "PATH": os.environ["PATH"]}
    out = await asyncio.to_thread(run, realtime, "-W", "error", "-c", "\n".join(blocks), env=given)
    assert out.startswith("ada: Hello, Grace! (20")
    assert "not_found req_" in out
    assert out.splitlines()[-1] == "helper: At your service, ada."


def test_without_the_extra_the_realtime_client_says_what_to_install(environment: Path) -> None:
    done = subprocess.run([environment, "-c", "import natter.realtime"], capture_output=True, text=True)
    assert "natter-sdk[realtime]" in done.stderr


def test_the_package_imports_nothing_of_the_server(environment: Path) -> None:
    code = "import sys, natter; print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    loaded = set(run(environment, "-c", code).split())
    assert not loaded & {"kernel", "control_plane", "billing", "portal", "data_plane", "ops"}
    assert "httpx" in loaded
