import base64
import json

import pytest
from click.testing import CliRunner

from kernel.settings import Settings, SettingsError, ShardSettings, load_settings
from ops.cli import cli
from ops.configuration import describe, problems
from ops.environment import environment_of

KEY = base64.b64encode(bytes(32)).decode()
SHARD = ShardSettings(id="a", database_url="postgresql://u:hidden@h/a", redis_url="redis://:hidden@h/0")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory and no NATTER_ variables."""
    import os

    for name in [name for name in os.environ if name.startswith("NATTER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_settings_go_through_an_environment_unchanged():
    settings = Settings(master_key=KEY, shards=(SHARD,), control_port=1234, database_url="postgresql://u:p@h/d")
    environment = {name: value for name, value in environment_of(settings).items() if name.startswith("NATTER_")}
    assert load_settings(environment) == settings


def test_a_file_in_the_childs_folder_changes_nothing(tmp_path):
    (tmp_path / "natter.toml").write_text('public_url = "https://other"\n')
    environment = {name: value for name, value in environment_of(Settings()).items() if name.startswith("NATTER_")}
    assert load_settings(environment, file=tmp_path / "natter.toml").public_url == ""


def test_no_secret_is_shown():
    settings = Settings(
        master_key=KEY,
        shards=(SHARD,),
        database_url="postgresql://u:hidden@h/d?password=hidden",
        credential="nk_hidden",
    )
    shown = "\n".join(line.value for line in describe(settings, settings, {}))
    assert "hidden" not in shown
    assert KEY not in shown
    assert "postgresql://u:***@h/d" in shown


def test_each_line_says_where_its_value_comes_from(tmp_path):
    file = tmp_path / "natter.toml"
    file.write_text("node_port = 9001\n")
    environ = {"NATTER_CONFIG": str(file), "NATTER_CONTROL_PORT": "9000"}
    settings = load_settings(environ)
    sources = {line.variable: line.source for line in describe(settings, settings, environ)}
    assert sources["NATTER_CONTROL_PORT"] == "variable"
    assert sources["NATTER_NODE_PORT"] == str(file)
    assert sources["NATTER_HOST"] == "default"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Settings(stripe_secret_key="sk_test_1"), "NATTER_BILLING is not stripe"),
        (Settings(billing="stripe"), "NATTER_STRIPE_SECRET_KEY must be set"),
        (Settings(billing="stripe", stripe_secret_key="pk_live_1"), "must begin with sk_ or rk_"),
        (Settings(billing="stripe", stripe_secret_key="sk_test_1"), "NATTER_STRIPE_WEBHOOK_SECRETS must be set"),
        (Settings(billing="stripe", stripe_webhook_secrets="whsec_a,b"), "must be whsec_"),
        (Settings(billing="stripe", stripe_api_url="8300"), "NATTER_STRIPE_API_URL must begin with"),
        (Settings(billing="stripe", stripe_secret_key="rk_live_1", stripe_api_url="http://h"), "is a live key"),
        (Settings(environment="production", billing="stripe", stripe_secret_key="sk_test_1"), "is a test key"),
        (Settings(control_port=8100), "two servers cannot share one"),
        (Settings(node_port=70_000), "NATTER_NODE_PORT must be a port"),
        (Settings(master_key="short"), "NATTER_MASTER_KEY"),
        (Settings(master_key="AAAA"), "fewer than 32 bytes"),
        (Settings(database_url="mysql://h/d"), "must begin with postgresql://"),
        (Settings(database_url="postgresql://h"), "names no database"),
        (Settings(redis_url="redis://h:port/0"), "NATTER_REDIS_URL is not a URL"),
        (Settings(redis_url="redis+cluster://h:6379,h:port"), "NATTER_REDIS_URL is not a URL"),
        (Settings(redis_url="redis+cluster://h:6379/3"), "no databases but 0"),
        (Settings(redis_url="redis+cluster://"), "no members"),
        (Settings(redis_url="redis+cluster://a,b"), "NATTER_JOBS_REDIS_URL must name a Redis that is no cluster"),
        (Settings(shards=(SHARD, SHARD)), "names 'a' more than once"),
        (Settings(environment="production"), "NATTER_MASTER_KEY must be set in production"),
        (Settings(environment="production"), "NATTER_PORTAL_URL must be set in production"),
        (Settings(environment="production", portal_url="http://chat.example.com"), "begin with https://"),
        (Settings(portal_url="chat.example.com"), "NATTER_PORTAL_URL must begin with http://"),
        (Settings(portal_url="https://example.com/chat"), "lives at the root of its host"),
    ],
)
def test_what_is_wrong_is_named(settings, told):
    assert any(told in problem for problem in problems(settings))


def test_the_defaults_are_valid():
    assert list(problems(Settings())) == []


def test_a_cluster_with_a_redis_for_jobs_is_valid():
    settings = Settings(redis_url="rediss+cluster://u:hidden@a:6379,b:6380", jobs_redis_url="redis://c")
    assert list(problems(settings)) == []
    shown = {line.variable: line.value for line in describe(settings, settings, {})}
    assert shown["NATTER_REDIS_URL"] == "rediss+cluster://u:***@a:6379,b:6380"


def test_config_check_prints_every_setting_and_succeeds(elsewhere):
    result = CliRunner().invoke(cli, ["config", "check", "--json"])
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)["settings"]) >= {"NATTER_MASTER_KEY", "NATTER_SHARDS", "NATTER_HOST"}


def test_config_check_fails_on_a_misspelt_variable_and_guesses_the_right_one(elsewhere, monkeypatch):
    monkeypatch.setenv("NATTER_CONTROL_PROT", "1")
    result = CliRunner().invoke(cli, ["config", "check"])
    assert result.exit_code == 1
    assert "Did you mean NATTER_CONTROL_PORT?" in result.stderr


def test_a_path_and_a_number_are_read_from_variables():
    settings = load_settings({"NATTER_DATA_DIR": "/srv/natter", "NATTER_CONTROL_PORT": "81"})
    assert (str(settings.data_dir), settings.control_port) == ("/srv/natter", 81)
    with pytest.raises(SettingsError, match="NATTER_CONTROL_PORT"):
        load_settings({"NATTER_CONTROL_PORT": "many"})


@pytest.mark.parametrize(
    ("command", "variable"), [("control", "NATTER_DATABASE_URL"), ("worker", "NATTER_MASTER_KEY"), ("node", "NATTER_")]
)
def test_a_server_without_its_settings_refuses_to_start_and_names_them(elsewhere, command, variable):
    result = CliRunner().invoke(cli, [command])
    assert isinstance(result.exception, SettingsError)
    assert variable in str(result.exception)
