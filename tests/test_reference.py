"""The generated reference says what the code says."""

import collections

from data_plane.reference import ASYNCAPI, FILE
from kernel.errors import NatterError
from ops.reference import files
from ops.reference.errors import public_errors


def test_the_files_are_as_the_generator_would_write_them() -> None:
    stale = [path.name for path, text in files().items() if not path.exists() or path.read_text() != text]
    assert not stale, f"run `make reference` and commit {stale}"


def test_every_error_has_a_code_of_its_own() -> None:
    codes = collections.Counter(error.code for error in public_errors())
    assert [code for code, count in codes.items() if count > 1] == []


def test_errors_that_ask_for_a_wait_say_how_long() -> None:
    silent = [
        error.code for error in public_errors() if error.status in (429, 503) and error.default_retry_after is None
    ]
    assert silent == []


def test_a_missing_page_would_be_noticed() -> None:
    assert NatterError not in public_errors()
    pages = {"errors.md", "permissions.md", "realtime.md", "rest.md"}
    assert pages | {FILE.name, ASYNCAPI.name, "errors.json", "closings.json", "codes.ts"} == {
        path.name for path in files()
    }
