"""What `natter up` keeps in its folder, `.natter`: secrets, ports, the lock, logs, the engines' data."""

from ops.installation.compose import compose, installed_settings
from ops.installation.folder import Folder
from ops.installation.runtime import Process, Runtime
from ops.installation.secrets import Secrets

__all__ = ["Folder", "Process", "Runtime", "Secrets", "compose", "installed_settings"]
