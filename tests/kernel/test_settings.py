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
