"""The reference under `docs/reference/`, generated from the code: `python -m ops.reference`."""

from pathlib import Path
from typing import Final

from ops.reference.errors import errors_page
from ops.reference.realtime import realtime_page
from ops.reference.rest import rest_page

__all__ = ["FOLDER", "pages"]

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> dict[str, str]:
    """Every page by its file name, as it should be now."""
    return {"errors.md": errors_page(), "realtime.md": realtime_page(), "rest.md": rest_page()}
