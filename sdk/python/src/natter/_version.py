"""The distribution's version, as `pyproject.toml` says it."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("natter-sdk")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


VERSION: Final = _installed()
