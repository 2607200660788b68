"""Where somebody is, and where he can go from there: what the navigation of a page shows."""

from dataclasses import dataclass

from control_plane.apps.models import App
from control_plane.members.scope import Member


@dataclass(frozen=True, slots=True)
class Navigation:
    """Loaded once a request, together with the scope, so that an error page can show it too."""

    organizations: list[Member]
    member: Member | None = None
    apps: tuple[App, ...] = ()
    """The newest apps of the member's organization."""
    app: App | None = None
