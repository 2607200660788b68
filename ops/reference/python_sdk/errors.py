"""`natter/errors.py`: a class for every code."""

from kernel.errors import NatterError
from ops.reference.errors import public_errors
from ops.reference.python_sdk.text import HEADER, camel, docstring
from ops.reference.text import paragraph

_CHAT = ("kernel", "data_plane")
GENERIC = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_input",
    429: "rate_limited",
    500: "internal",
    503: "unavailable",
}
"""The code whose class is caught for all of a status."""
ROOTS = ("APIError", "ConnectionFailed", "FieldError", "NatterError", "TimedOut", "UnexpectedAnswer")


def errors_module() -> str:
    """The module."""
    known = {error.code: error for error in public_errors() if error.__module__.startswith(_CHAT)}
    first = [known[code] for code in GENERIC.values()]
    others = [error for code, error in sorted(known.items()) if code not in GENERIC.values()]
    classes = {error.code: camel(error.code) for error in (*first, *others)}
    said = HEADER.format(
        title=f"What the API refuses with: a class for every code, under one for its status.\n\n{_tree()}"
    )
    said += f"\nfrom typing import Final\n\nfrom ._errors import {', '.join(ROOTS)}\n\n"
    listed = sorted([*ROOTS, *classes.values(), "BY_CODE", "BY_STATUS"], key=_like_ruff)
    said += "__all__ = [\n" + "".join(f'    "{name}",\n' for name in listed) + "]\n"
    said += "".join(_class(error, "APIError") for error in first)
    said += "".join(_class(error, camel(GENERIC[error.status])) for error in others)
    said += "\n\nBY_CODE: Final[dict[str, type[APIError]]] = {\n"
    said += "".join(f'    "{code}": {name},\n' for code, name in sorted(classes.items()))
    said += '}\n"""The class of each code that this version knows."""\n'
    said += "\nBY_STATUS: Final[dict[int, type[APIError]]] = {\n"
    said += "".join(f"    {status}: {camel(code)},\n" for status, code in GENERIC.items())
    return said + '}\n"""The class of each status, for codes that a newer server says."""\n'


def _tree() -> str:
    lines = ["    NatterError", "    ├── APIError: the server refused"]
    lines += [
        f"    │   ├── {camel(code)}: {status}, and under it the codes with that status"
        for status, code in GENERIC.items()
    ]
    lines += [
        "    ├── ConnectionFailed: no answer",
        "    │   └── TimedOut",
        "    └── UnexpectedAnswer: no answer of this API",
    ]
    return "\n".join(lines)


def _class(error: type[NatterError], base: str) -> str:
    text = paragraph(error)
    return f'\n\nclass {camel(error.code)}({base}):\n{docstring(text, 4)}\n    default_code = "{error.code}"\n'


def _like_ruff(name: str) -> tuple[int, str]:
    """Constants, then classes, each by name."""
    return (0 if name.isupper() else 1, name)
