"""compose.yaml and the Dockerfile say what is true: real settings, real commands, real make targets, no default secret.

What they start is run for real in `test_compose_topology.py`.
"""

import dataclasses
import re
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import pytest

from kernel.settings import Settings, load_settings
from ops.cli import cli
from ops.configuration import problems
from ops.entrypoints.control import control_deps
from ops.entrypoints.node import node_deps
from ops.entrypoints.worker import Worker
from ops.entrypoints.workers import Process
from ops.health import arguments_of, is_healthy
from tests.ops.compose_file import FILE, ROOT, Unset, interpolated, load, variables

ENVIRON = {
    "NATTER_MASTER_KEY": "bmF0dGVyIG5hdHRlciBuYXR0ZXIgbmF0dGVyIG5hdHRlcg==",
    "POSTGRES_PASSWORD": "postgres0password",
    "DATABASE_PASSWORD": "database0password",
    "REDIS_PASSWORD": "redis0password",
}
ADDRESS = {"PORTAL_URL": "https://chat.example.com"}
SERVERS = ("control", "node1", "node2", "worker")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def services() -> dict[str, Any]:
    found: dict[str, Any] = interpolated(load(), ENVIRON | ADDRESS)["services"]
    return found


def ours() -> dict[str, Any]:
    return {name: service for name, service in services().items() if service["image"] == "natter"}


def settings_of(service: dict[str, Any], tmp_path: Path) -> Settings:
    """The settings that a service's process reads; files of secrets are made up."""
    environ = dict(service["environment"])
    for name in [each for each in environ if each.startswith("NATTER_") and each.endswith("_FILE")]:
        file = tmp_path / Path(environ[name]).name
        file.write_text("nk_madeup\n")
        environ[name] = str(file)
    return load_settings(environ)


def test_it_fits_the_compose_schema() -> None:
    command = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [name for name, service in load()["services"].items() if service["image"] == "natter"])
def test_every_variable_of_a_service_is_a_setting_and_the_whole_is_valid(name: str, tmp_path: Path) -> None:
    settings = settings_of(ours()[name], tmp_path)
    assert list(problems(settings)) == []
    if name in SERVERS:
        assert settings.environment == "production"


async def test_every_server_finds_all_that_it_needs(tmp_path: Path) -> None:
    settings = {name: settings_of(ours()[name], tmp_path) for name in SERVERS}
    await control_deps(settings["control"]).close()
    nodes = [node_deps(settings[name], Process()) for name in ("node1", "node2")]
    assert [node.node_name for node in nodes] == ["node1", "node2"]
    Worker(settings["worker"])
    assert settings["worker"].jobs_redis_url != settings["worker"].shards[0].redis_url
    # All speak of the same shard; only the one that migrates may alter tables.
    for name, each in ours().items():
        shard = settings_of(each, tmp_path).shards[0]
        assert (shard.migration_url is not None) == (name == "migrate")


@pytest.mark.parametrize("name", [name for name, each in load()["services"].items() if "command" in each])
def test_every_command_is_one_of_the_programs(name: str) -> None:
    service = services()[name]
    if service["image"] == "natter":
        understand(service["command"])


def understand(words: list[str]) -> None:
    """Parse a command line as `natter` does, without running it."""
    with click.Context(cli) as context:
        found = cli.get_command(context, words[0])
        assert found is not None, f"natter has no command {words[0]!r}"
        rest = words[1:]
        while isinstance(found, click.Group):
            found, rest = found.get_command(context, rest[0]), rest[1:]
            assert found is not None, f"natter {words[0]} has no command {words[1]!r}"
        found.make_context(words[0], list(rest)).close()


def test_a_command_that_is_none_would_be_found() -> None:
    with pytest.raises(AssertionError, match="no command 'serve'"):
        understand(["serve"])
    with pytest.raises(click.UsageError):
        understand(["worker", "--ready"])


def test_the_scripts_call_commands_that_exist() -> None:
    script = (ROOT / "ops/image/credentials.sh").read_text()
    (words,) = re.findall(r"^\s*natter (.+?) >", script, re.MULTILINE)
    understand(
        [{'"$kind"': "node", '"${rest%%:*}"': "n", '"${rest#*:}"': "s"}.get(word, word) for word in words.split()]
    )
    for path in ("credentials.sh", "databases.sh"):
        assert (ROOT / "ops/image" / path).stat().st_mode & 0o111
    assert "/opt/natter/ops/image/credentials.sh" in services()["credentials"]["entrypoint"]


def test_the_guide_names_services_and_commands_that_exist() -> None:
    guide = (ROOT / "docs/deploy.md").read_text()
    commands = re.findall(r"^docker compose exec (\w+) natter (.+?)(?: +#.*)?$", guide, re.MULTILINE)
    assert len(commands) == 3
    for service, words in commands:
        assert service in services()
        understand(words.split())
    named = set(re.findall(r"^(\w+)=", guide, re.MULTILINE))
    needed = {name for name, how, _ in variables(load()) if how == ":?"}
    assert named == needed | OPTIONAL


def test_the_credentials_that_are_made_are_the_ones_that_are_read() -> None:
    made = {
        f"/var/lib/natter/{wanted.split(':')[0]}-{wanted.split(':')[1]}": wanted.split(":")
        for wanted in services()["credentials"]["entrypoint"][3:]
    }
    read = {
        each["environment"]["NATTER_CREDENTIAL_FILE"]: each["environment"]
        for each in ours().values()
        if "NATTER_CREDENTIAL_FILE" in each["environment"]
    }
    assert made.keys() == read.keys()
    for file, environment in read.items():
        kind, name, _ = made[file]
        assert (kind, name) == ("node", environment["NATTER_NODE_NAME"]) if kind == "node" else ("relay", "s0")


# -- secrets -----------------------------------------------------------------------------------------------------------


# Without a mail server letters stay on the outbox page, without Stripe nobody takes money.
OPTIONAL = {"SMTP_URL", "MAIL_FROM", "BILLING", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"}


def secrets_with_a_default(document: Any) -> list[str]:
    """Variables that could be a secret and that Compose would start without."""
    harmless = {"NATTER_ENVIRONMENT", "NODE1_URL", "NODE2_URL", *OPTIONAL}
    return sorted({name for name, how, _ in variables(document) if how != ":?" and name not in harmless})


def test_no_secret_has_a_default_and_each_says_how_it_is_made() -> None:
    document = load()
    assert secrets_with_a_default(document) == []
    said = {
        name: rest for name, how, rest in variables(document) if how == ":?" and "made with openssl" in (rest or "")
    }
    assert said.keys() == ENVIRON.keys()
    whole = ENVIRON | ADDRESS
    for missing in whole:
        with pytest.raises(Unset, match=missing):
            interpolated(document, {name: value for name, value in whole.items() if name != missing})


def test_a_secret_with_a_default_would_be_found() -> None:
    for default in ("${REDIS_PASSWORD:-redis}", "${REDIS_PASSWORD}"):
        planted = re.sub(r"\$\{REDIS_PASSWORD:\?[^}]*\}", default, FILE.read_text(), count=1)
        assert secrets_with_a_default(load(planted)) == ["REDIS_PASSWORD"]


def test_every_secret_setting_comes_from_a_variable_or_a_file() -> None:
    secret = {f"NATTER_{field.name.upper()}" for field in dataclasses.fields(Settings) if field.metadata["secret"]}
    for name, service in load()["services"].items():
        for variable, value in service.get("environment", {}).items():
            if variable in secret:
                assert variables(value), f"{name}: {variable} is written down"


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_only_this_machine_can_reach_a_port_and_no_engine_has_one() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published.keys() == {"control", "node1", "node2"}
    ports = [port for each in published.values() for port in each]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_each_waits_for_what_it_needs_and_can_be_waited_for() -> None:
    for name, service in services().items():
        for needed, how in service.get("depends_on", {}).items():
            other = services()[needed]
            match how["condition"]:
                case "service_healthy":
                    healthy = other["image"] == "natter" or "test" in other["healthcheck"]
                    assert healthy, f"{name} waits for {needed}"
                    assert "disable" not in other.get("healthcheck", {})
                case "service_completed_successfully":
                    assert other["restart"] == "no", f"{name} waits for {needed} to end"
                case other_condition:
                    pytest.fail(f"{name} waits for {needed} until {other_condition}")
        for host in re.findall(r"(?:@|http://)(\w+):\d+", str(service.get("environment", {}))):
            if host not in ("127", "localhost") and name not in ("control", "credentials"):
                assert reaches(name, host), f"{name} talks to {host} and does not wait for it"


def reaches(name: str, wanted: str) -> bool:
    needed = services()[name].get("depends_on", {})
    # Nodes and worker know the bus's address; a worker talks to it through nobody, so it need not wait.
    return wanted == "bus" or wanted in needed or any(reaches(each, wanted) for each in needed)


def test_what_runs_can_write_nowhere_but_where_it_must() -> None:
    for name, service in ours().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
    writers = [
        name for name, each in ours().items() for volume in each.get("volumes", []) if not volume.endswith(":ro")
    ]
    assert writers == ["credentials"]


def test_images_of_others_are_of_a_fixed_major_version() -> None:
    for name, service in services().items():
        if service["image"] != "natter":
            assert re.fullmatch(r"[\w/]+:\d+(\.\d+)*", service["image"]), name
    assert services()["postgres"]["image"] == "postgres:18"
    assert "postgres:/var/lib/postgresql" in services()["postgres"]["volumes"]  # where 18's image keeps its data


# -- the image ---------------------------------------------------------------------------------------------------------


def steps(instruction: str) -> list[str]:
    """The arguments of every such instruction, continued lines joined."""
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    return [" ".join(line.split()[1:]) for line in joined.splitlines() if line.split()[:1] == [instruction]]


def make_targets(text: str) -> set[str]:
    """What Dockerfile steps ask make for."""
    return {target for step in re.findall(r"\bmake ([\w -]+)", text) for target in step.split() if target[0] != "-"}


def test_its_steps_are_targets_of_the_makefile() -> None:
    wanted = set().union(*(make_targets(step) for step in steps("RUN") if not step.startswith("apt-get")))
    assert wanted == {"image-install"}
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert wanted <= targets
    # Nothing is installed past the lock file.
    assert not re.search(r"\bpip\b|\buv\b|\bcurl\b|\bADD\b", DOCKERFILE)


def test_a_step_that_is_no_target_would_be_found() -> None:
    assert make_targets("RUN make image-instal && true") == {"image-instal"}


def test_the_images_environment_is_the_locked_one_without_what_only_tests_need() -> None:
    plan = subprocess.run(["make", "-n", "-B", "image-install"], cwd=ROOT, capture_output=True, text=True, check=True)
    (sync,) = [line for line in plan.stdout.splitlines() if "pip sync" in line]
    assert sync.endswith("--require-hashes requirements-uv.lock requirements.lock")
    (own,) = [line for line in plan.stdout.splitlines() if "--no-deps" in line]
    assert own.endswith("--no-build-isolation --editable . --editable sdk/python"), "the portal's pages use the SDK"
    whole = subprocess.run(["make", "-n", "-B", "install"], cwd=ROOT, capture_output=True, text=True, check=True)
    (sync,) = [line for line in whole.stdout.splitlines() if "pip sync" in line]
    assert sync.endswith("--require-hashes requirements-uv.lock requirements.lock requirements-dev.lock")


def test_it_runs_as_nobody_in_particular_and_knows_whether_it_is_well() -> None:
    assert steps("USER") == ["10001:10001"]
    assert steps("ENTRYPOINT") == ['["natter"]']
    (check,) = steps("HEALTHCHECK")
    assert check.endswith('CMD ["python", "-m", "ops.health"]')
    assert not [each for each in steps("ENV") if "NATTER_" in each]


def test_everything_that_is_copied_is_there_and_nothing_else_goes_in() -> None:
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line[1:] for line in patterns if line.startswith("!")]
    assert "*" in patterns
    assert [each for each in kept if not (ROOT / each).exists()] == []
    packages = re.search(r"^include = \[(.+)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert packages is not None
    assert {"kernel", "ops"} < set(re.findall(r'"(\w+)\*"', packages[1])) <= set(kept)
    needed = {
        word
        for rule in re.findall(r"^\$\(STAMP\).*: (.+\.lock.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        for word in rule.split()
        if "." in word
    }
    needed |= {word for word in re.findall(r"--editable (\S+)", (ROOT / "Makefile").read_text()) if word != "."}
    assert "sdk/python" in needed
    assert {
        each for each in needed if not any(fnmatch(each, keep) or each.startswith(f"{keep}/") for keep in kept)
    } == set()
    for secret in (".env", ".git", ".natter"):
        assert secret not in kept


def test_health_is_read_off_the_process_that_runs(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = tmp_path / "natter"
    script.write_text("import time; time.sleep(60)")
    process = subprocess.Popen([sys.executable, script, "worker", "--ready-file", ready])
    try:
        while not arguments_of(process.pid):  # until it has become the program
            time.sleep(0.01)
        assert arguments_of(process.pid) == ["worker", "--ready-file", str(ready)]
        assert not is_healthy(process.pid)
        ready.write_text("1")
        assert not is_healthy(process.pid)
        ready.write_text(str(process.pid))
        assert is_healthy(process.pid)
    finally:
        process.kill()
        process.wait()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert not is_healthy(other.pid)
    finally:
        other.kill()
        other.wait()
