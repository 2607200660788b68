"""`sdk/protocol/`: what every SDK is made from, and the part of it that is TypeScript."""

from pathlib import Path
from typing import Any, Final

import orjson

from data_plane.gateway import closing
from kernel.errors import NatterError
from ops.reference.asyncapi import asyncapi_json
from ops.reference.errors import chat_errors
from ops.reference.openapi import openapi_json
from ops.reference.text import paragraph

SDK: Final = Path(__file__).parents[2] / "sdk"
FOLDER: Final = SDK / "protocol"
VECTORS: Final = FOLDER / "vectors"
"""Recorded sessions; `tests/sdk/test_vectors.py` records them."""
_CODES: Final = SDK / "js" / "src" / "codes.ts"


def protocol_files() -> dict[Path, str]:
    """Every file as it should be now, but the vectors, which are recorded."""
    return {
        FOLDER / "openapi.json": openapi_json(),
        FOLDER / "asyncapi.json": asyncapi_json(),
        FOLDER / "errors.json": _json({"errors": [_error(error) for error in chat_errors()]}),
        FOLDER / "closings.json": _json({"closings": [_closing(end) for end in closing.ALL]}),
        _CODES: _codes(),
    }


def _error(error: type[NatterError]) -> dict[str, Any]:
    return {
        "code": error.code,
        "status": error.status,
        "retryable": error.retryable,
        "title": error.title,
        "meaning": paragraph(error),
    }


def _closing(end: closing.Closing) -> dict[str, Any]:
    """`spread_ms`: the most that `after_ms` of one connection is."""
    return {
        "code": end.code,
        "reconnect": end.reconnect,
        "resync": end.resync,
        "spread_ms": end.spread_ms,
        "meaning": end.meaning,
    }


def _codes() -> str:
    """Unions of all codes: types alone, which cost a bundle nothing."""
    errors = "".join(f'\n  | "{error.code}"' for error in chat_errors())
    ends = "".join(f'\n  | "{end.code}"' for end in closing.ALL)
    return (
        "// Generated from the code by `make reference`.\n\n"
        "/** Every code of an error that the server answers with; `docs/reference/errors.md` has the meanings. */\n"
        f"export type ServerErrorCode ={errors};\n\n"
        "/** Why the server ends a connection. */\n"
        f"export type ClosingCode ={ends};\n"
    )


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
