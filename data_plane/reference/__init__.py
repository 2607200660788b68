"""The API's description, `openapi.json`: written by `make reference`, shipped with the code that it describes."""

from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("openapi.json")


@cache
def openapi_document() -> bytes:
    """The OpenAPI 3.1 document as it is served at `/v1/openapi.json`."""
    return FILE.read_bytes()
