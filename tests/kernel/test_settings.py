"""Settings name what is wrong and how to mend it."""

from pathlib import Path

import pytest

from kernel.settings import Settings, SettingsError, load_settings


def test_variables_beat_the_file(tmp_path: Path) -> None:
    file = tmp_path / "natter.toml"
    file.write_text('control_port = 9000\nhost = "0.0.0.0"\n')
    settings = load_settings({"NATTER_CONTROL_PORT": "9001"}, file=file)
    assert (settings.control_port, settings.host) == (9001, "0.0.0.0")


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"NATTER_DATABSE_URL": "x"}, "Did you mean NATTER_DATABASE_URL"),
        ({"NATTER_NODE_PORT": "eighty"}, "NATTER_NODE_PORT"),
        ({"NATTER_ENVIRONMENT": "staging"}, "NATTER_ENVIRONMENT"),
        ({"NATTER_SHARDS": "["}, "NATTER_SHARDS"),
        ({"NATTER_CONFIG": "/does/not/exist.toml"}, "does not exist"),
    ],
)
def test_a_wrong_setting_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load_settings(environ)


def test_a_process_names_every_secret_it_lacks() -> None:
    with pytest.raises(SettingsError, match=r"NATTER_MASTER_KEY[\s\S]*NATTER_CREDENTIAL"):
        load_settings({}).require("master_key", "credential")


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "credential"
    file.write_text("nk_secret\n")
    assert load_settings({"NATTER_CREDENTIAL_FILE": str(file)}).credential == "nk_secret"
    shards = tmp_path / "shards"
    shards.write_text('[{"id":"eu","database_url":"postgresql://a/b","redis_url":"redis://c"}]')
    assert load_settings({"NATTER_SHARDS_FILE": str(shards)}).shards[0].id == "eu"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"NATTER_CREDENTIAL_FILE": "/does/not/exist"}, "NATTER_CREDENTIAL_FILE names /does/not/exist"),
        ({"NATTER_CREDENTIAL_FILE": "/dev/null", "NATTER_CREDENTIAL": "x"}, "both set"),
        # What is no secret has no need of it, and a setting that is none has no file either.
        ({"NATTER_HOST_FILE": "/dev/null"}, "NATTER_HOST_FILE is no setting"),
        ({"NATTER_NONSENSE_FILE": "/dev/null"}, "NATTER_NONSENSE_FILE is no setting"),
    ],
)
def test_a_secrets_file_that_is_wrong_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load_settings(environ)


def test_no_secret_has_a_default() -> None:
    from dataclasses import fields

    for item in fields(Settings):
        if item.metadata["secret"]:
            assert not item.default, item.name


def test_shards_come_as_json() -> None:
    text = '[{"id":"eu","database_url":"postgresql://a/b","redis_url":"redis://c"}]'
    settings = load_settings({"NATTER_SHARDS": text})
    assert settings.shard_settings("eu").database_url == "postgresql://a/b"
    with pytest.raises(SettingsError, match="the configured shards are: eu"):
        settings.shard_settings("us")


def test_the_portal_is_at_the_control_planes_port_unless_it_is_configured():
    assert load_settings({"NATTER_CONTROL_PORT": "9000"}).portal == "http://127.0.0.1:9000"
    assert load_settings({"NATTER_PORTAL_URL": "https://chat.example.com/"}).portal == "https://chat.example.com"
