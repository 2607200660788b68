"""The control plane's parts, for commands that do its work beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kernel.errors import NatterError
from kernel.settings import Settings
from ops.errors import CannotStart
from ops.installation import Folder, installed_settings

if TYPE_CHECKING:
    from control_plane.context import Deps


@asynccontextmanager
async def management() -> AsyncIterator["Deps"]:
    """`Deps` on the installation's database. Raises `CannotStart` when that cannot be reached."""
    from control_plane.context import Deps
    from kernel.db import Database
    from kernel.http.problems import database_is_away
    from kernel.security.vault import Vault

    settings = installed_settings().require("master_key", "database_url")
    deps = Deps(
        settings=settings,
        database=Database(settings.database_url, role="natter_control", pool_size=1, name="natter-cli"),
        portal_database=Database(settings.database_url, role="natter_portal", pool_size=1, name="natter-cli"),
        vault=Vault(settings.master_key),
    )
    try:
        yield deps
    except NatterError:
        raise
    except Exception as error:
        if not database_is_away(error):
            raise
        raise CannotStart("The database cannot be reached.", _way_out(settings)) from error
    finally:
        await deps.close()


def _way_out(settings: Settings) -> str:
    folder = Folder(settings.data_dir)
    if folder.secrets.exists() and not folder.is_locked():
        return "It runs while `natter up` does: start that first, in this folder."
    return "natter doctor looks closer."
