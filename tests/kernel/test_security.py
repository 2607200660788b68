"""Keys, seals and masks."""

import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from kernel.logging import configure_logging, get_logger
from kernel.security import keys
from kernel.security.vault import Vault


@given(st.integers(0, 41), st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz"))
def test_a_mistyped_key_is_known_without_a_look_up(place: int, letter: str) -> None:
    key = keys.seal("sk", b"x" * 20)
    assert keys.well_formed("sk", key)
    wrong = key[:place] + letter + key[place + 1 :]
    assert keys.well_formed("sk", wrong) == (wrong == key)


def test_a_seal_opens_only_with_its_purpose_context_and_key() -> None:
    vault = Vault(Vault.generate_master_key())
    sealed = vault.seal("signing-keys", b"secret", context=b"app_1")
    assert vault.open("signing-keys", sealed, context=b"app_1") == b"secret"
    attempts = [
        lambda: vault.open("signing-keys", sealed, context=b"app_2"),
        lambda: vault.open("other", sealed, context=b"app_1"),
        lambda: Vault(Vault.generate_master_key()).open("signing-keys", sealed, context=b"app_1"),
        lambda: vault.open("signing-keys", sealed[:-1] + bytes([sealed[-1] ^ 1]), context=b"app_1"),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="does not open"):
            attempt()


def test_logs_are_json_in_a_fixed_order_and_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    try:
        configure_logging("node")
        secret = keys.generate("sk")
        get_logger("t").info("thing.done", userId="alice", latency=1.5, token="abc", note=f"with {secret} inside")
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.configure(**before)  # or loggers that are used from now on would keep this form for ever
    line = json.loads(out.getvalue().splitlines()[-1])
    assert list(line)[:4] == ["timestamp", "level", "service", "event"]
    assert (line["service"], line["event"], line["userId"]) == ("node", "thing.done", "alice")
    assert secret not in out.getvalue()
    assert "abc" not in out.getvalue()
