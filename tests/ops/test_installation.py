import os
import stat
import subprocess
import sys

import pytest

from kernel.settings import Settings, SettingsError
from ops.children import stripe_sim_child
from ops.errors import CannotStart
from ops.installation import Folder, Process, Runtime, Secrets, compose, installed_settings


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / ".natter")
    made.create()
    return made


def test_secrets_are_made_once_and_nobody_else_can_read_them(folder):
    first = Secrets.load_or_make(folder)
    assert Secrets.load_or_make(folder) == first
    assert stat.S_IMODE(folder.secrets.stat().st_mode) == 0o600
    assert len({first.master_key, first.postgres, first.runtime}) == 3


def test_data_whose_keys_are_missing_is_not_given_new_ones(folder):
    (folder.root / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(CannotStart, match=r"secrets\.json with its keys is missing"):
        Secrets.load_or_make(folder)


def test_damaged_secrets_are_refused_and_left_as_they_are(folder):
    folder.secrets.write_text("{")
    with pytest.raises(CannotStart, match="damaged"):
        Secrets.load_or_make(folder)
    assert folder.secrets.read_text() == "{"


def test_one_process_holds_the_lock_and_its_death_gives_it_back(folder):
    code = "import sys; from ops.installation import Folder; f = Folder(__import__('pathlib').Path(sys.argv[1])); "
    code += "print(f.acquire(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "True\n"
        assert folder.is_locked()
        assert not folder.acquire()
        other.kill()
    assert folder.acquire()
    folder.release()
    assert not folder.is_locked()


def test_what_is_configured_beats_what_was_generated(folder):
    secrets = Secrets.load_or_make(folder)
    runtime = Runtime(ports={"postgres": 1, "valkey-s0": 2}, shards=1)
    configured = Settings(data_dir=folder.root, master_key="mine", redis_url="redis://elsewhere/0")
    settings = compose(configured, secrets, runtime)
    assert settings.master_key == "mine"
    assert settings.shards[0].redis_url == "redis://elsewhere/0"
    assert settings.database_url.startswith("postgresql://natter:")


def test_links_lead_to_the_configured_portal_or_else_to_this_machine(folder):
    secrets = Secrets.load_or_make(folder)
    runtime = Runtime(ports={"postgres": 1, "valkey-s0": 2}, shards=1)
    assert compose(Settings(control_port=9000), secrets, runtime).portal == "http://127.0.0.1:9000"
    assert compose(Settings(host="::1", control_port=9000), secrets, runtime).portal == "http://[::1]:9000"
    configured = Settings(portal_url="https://chat.example.com/")
    assert compose(configured, secrets, runtime).portal == "https://chat.example.com"


def test_two_shards_have_databases_and_buses_of_their_own(folder):
    secrets = Secrets.load_or_make(folder)
    runtime = Runtime(ports={"postgres": 1, "valkey-s0": 2, "valkey-s1": 3}, shards=2)
    first, second = compose(Settings(), secrets, runtime).shards
    assert first.database_url != second.database_url
    assert first.redis_url != second.redis_url


def test_two_shards_on_one_external_database_are_refused(folder):
    secrets = Secrets.load_or_make(folder)
    configured = Settings(database_url="postgresql://u@h/d", redis_url="redis://h/0")
    with pytest.raises(SettingsError, match="NATTER_SHARDS"):
        compose(configured, secrets, Runtime(shards=2))


def test_other_commands_find_the_installation_in_the_data_folder(folder):
    secrets = Secrets.load_or_make(folder)
    Runtime(ports={"postgres": 1, "valkey-s0": 2}, shards=1, control_url="http://127.0.0.1:9").save(folder)
    settings = installed_settings({"NATTER_DATA_DIR": str(folder.root)})
    assert settings.master_key == secrets.master_key
    assert settings.control_url == "http://127.0.0.1:9"
    assert settings.portal == "http://127.0.0.1:9"


def test_a_process_is_known_by_its_number_and_its_start():
    own = Process.of(os.getpid())
    assert own.is_alive()
    assert not Process(own.pid, "another boot:1").is_alive()
    assert not Process.of(2**22 + 1).is_alive()


async def test_the_stripe_simulator_takes_the_place_of_stripe_and_gets_nothing_else(folder):
    secrets = Secrets.load_or_make(folder)
    runtime = Runtime(ports={"postgres": 1, "valkey-s0": 2}, shards=1)
    assert compose(Settings(), secrets, runtime).billing == "null"
    runtime.stripe_sim, secrets.stripe_sim = "http://127.0.0.1:8300", ("sk_test_a", "whsec_b")
    secrets.save(folder)
    settings = compose(Settings(control_port=9000), Secrets.load_or_make(folder), runtime)
    assert (settings.billing, settings.stripe_api_url) == ("stripe", "http://127.0.0.1:8300")
    assert (settings.stripe_secret_key, settings.stripe_webhook_secrets) == ("sk_test_a", "whsec_b")
    started = []

    class Nursery:
        async def start(self, command, environment, log):
            started.append((command, environment))

    child = stripe_sim_child(Nursery(), settings, 8300, folder.root / "stripe-sim.db")
    await child.start(folder.log("stripe-sim"))
    ((command, environment),) = started
    assert command[-2:] == ("--webhook", "http://127.0.0.1:9000/webhooks/stripe")
    own = {name: value for name, value in environment.items() if name.startswith("NATTER_")}
    assert own == {"NATTER_STRIPE_SECRET_KEY": "sk_test_a", "NATTER_STRIPE_WEBHOOK_SECRETS": "whsec_b"}
    assert not {"sk_test_a", "whsec_b"} & set(command)
