"""The API's descriptions, written by `make reference` and shipped with the code that they describe."""

from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("openapi.json")
ASYNCAPI: Final = Path(__file__).with_name("asyncapi.json")


@cache
def openapi_document() -> bytes:
    """The OpenAPI 3.1 document as it is served at `/v1/openapi.json`."""
    return FILE.read_bytes()


@cache
def asyncapi_document() -> bytes:
    """The AsyncAPI 3.0 document as it is served at `/v1/asyncapi.json`."""
    return ASYNCAPI.read_bytes()
