"""What there is against what is swept: nothing may be added without saying how strangers are kept out of it."""

from collections.abc import Iterable, Iterator

from litestar import Litestar
from litestar.routes import HTTPRoute

from tests.invariants.answers import Leak

Operation = tuple[str, str]
"""Method and path template: `("GET", "/v1/users/{user_id}")`."""


def operations(app: Litestar) -> Iterator[Operation]:
    """Every method of every path of an application, as the running application lists them. `OPTIONS` is Litestar's own
    on every path and is tried along with each."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            raise Leak(f"{route.path}: a route of a kind ({type(route).__name__}) that no sweep knows")
        for method in sorted(route.methods - {"OPTIONS"}):
            yield method, route.path_format


def uncovered(what: str, there: Iterable[object], entries: Iterable[object], where: str) -> None:
    """Raise `Leak` naming what has no entry, and entries of what is no more."""
    known, listed = set(there), set(entries)
    missing = sorted(map(str, known - listed))
    gone = sorted(map(str, listed - known))
    if missing:
        raise Leak(f"{what} without an entry in {where}; say there how a stranger is tried on it: {', '.join(missing)}")
    if gone:
        raise Leak(f"entries in {where} for {what} that are no more; take them out: {', '.join(gone)}")
