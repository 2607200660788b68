"""`errors.md`: every expected failure."""

import importlib
import pkgutil

import billing
import control_plane
import data_plane
import kernel
from kernel.errors import NatterError, all_errors
from ops.reference.text import paragraph, table

_HEAD = """\
# Error codes

Generated from the code by `make reference`.

REST answers an error with its status and an RFC 9457 document (`application/problem+json`):

```json
{example}
```

A socket acknowledges with `{{"error": {{code, message, retryable, …}}}}`; a refused connection carries the same object as
`err.data` of `connect_error`. Go by `code`, which is stable; `message` and `detail` are for people and may change. Where a field
is to blame, `field` names it. A retryable error may pass when the same call is made again, unchanged; with status 429 and 503 there is
always `retry_after` (seconds), and the header `Retry-After` over REST.

"""


def load_everything() -> None:
    """Import every module of both planes, so that their error classes exist."""
    for package in (kernel, control_plane, billing, data_plane):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def public_errors() -> list[type[NatterError]]:
    """What callers of the APIs may see, by code."""
    load_everything()
    hidden = {"kernel.settings"}
    return [
        error
        for error in all_errors()
        if error.__module__.partition(".")[0] in ("kernel", "control_plane", "billing", "data_plane")
        and error.__module__ not in hidden
    ]


def errors_page() -> str:
    """The page."""
    import msgspec

    from data_plane.channels.errors import no_channel

    example = msgspec.json.format(
        msgspec.json.encode(no_channel().as_problem("req_01k2x7m5t1e8b9v3q4w5r6t7y8"))
    ).decode()
    rows = [
        [f"`{error.code}`", str(error.status), "yes" if error.retryable else "no", paragraph(error)]
        for error in public_errors()
    ]
    return _HEAD.format(example=example) + table(["code", "status", "retryable", "meaning"], rows) + "\n"
