"""What routes ask for by name. Values are made by the application, so Litestar need not validate them."""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from control_plane.context import Deps
from control_plane.credentials.models import Credential
from control_plane.snapshots.watcher import VersionWatcher

DepsDependency = NamedDependency[SkipValidation[Deps]]
"""The parts of the process, as `deps`."""
CredentialDependency = NamedDependency[SkipValidation[Credential]]
"""The node or relay that calls an internal route, as `credential`."""
WatcherDependency = NamedDependency[SkipValidation[VersionWatcher]]
"""What wakes long polls, as `watcher`."""
