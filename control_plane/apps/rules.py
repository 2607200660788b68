"""What is asked before a deed that cannot be undone: in production, the name of the app."""

from typing import Final

from control_plane.apps.models import App
from kernel.errors import InvalidInput

FIELD: Final = "confirm"


def require_confirmation(app: App, typed: str | None, deed: str, *, everywhere: bool = False) -> None:
    """Raises `InvalidInput` for `confirm` unless the app's name was typed. `everywhere`: in development too."""
    if (everywhere or app.environment == "production") and (typed or "").strip() != app.name:
        where = "this app" if everywhere and app.environment != "production" else "an app in production"
        raise InvalidInput(f"To {deed} {where}, type its name: {app.name}", field=FIELD)
