"""The installation's secrets: made once, kept in one file that only its owner can read."""

import secrets

import msgspec

from ops.errors import CannotStart
from ops.installation.folder import Folder, write_private


class Secrets(msgspec.Struct):
    """`installation` names this installation. `valkey` is by shard, `credentials` by `kind/name`.

    `stripe_sim` are the simulator's API key and the secret that signs its webhooks, once it has run here.
    """

    installation: str
    master_key: str
    postgres: str
    runtime: str
    valkey: dict[str, str] = {}
    credentials: dict[str, str] = {}
    stripe_sim: tuple[str, str] | None = None

    @classmethod
    def load(cls, folder: Folder) -> "Secrets | None":
        """Those of this folder, if any. Raises `CannotStart` when they cannot be read."""
        try:
            return msgspec.json.decode(folder.secrets.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise CannotStart(
                f"{folder.secrets} belongs to another user.", "Run this as the user who started Natter here."
            ) from error
        except msgspec.DecodeError as error:
            raise CannotStart(
                f"{folder.secrets} is damaged: {error}",
                "Put back a copy of it: without its keys the data in this folder cannot be opened.",
            ) from error

    @classmethod
    def load_or_make(cls, folder: Folder) -> "Secrets":
        """Those of this folder, made now if it is new. Raises `CannotStart` when data is there but its keys are not."""
        found = cls.load(folder)
        if found is not None:
            return found
        if (folder.root / "postgres" / "data").exists() or (folder.root / "engines").exists():
            raise CannotStart(
                f"There is data in {folder.root}, but {folder.secrets.name} with its keys is missing.",
                f"Put back a copy of it, or move {folder.root} away to begin anew.",
            )
        made = cls(
            installation=secrets.token_hex(6),
            master_key=_master_key(),
            postgres=secrets.token_urlsafe(24),
            runtime=secrets.token_urlsafe(24),
        )
        made.save(folder)
        return made

    def valkey_password(self, shard: str) -> str:
        """The password of one shard's private Valkey, made when it is first asked for; `save` keeps it."""
        if shard not in self.valkey:
            self.valkey[shard] = secrets.token_urlsafe(24)
        return self.valkey[shard]

    def save(self, folder: Folder) -> None:
        """Write them, whole or not at all."""
        write_private(folder.secrets, msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def _master_key() -> str:
    from kernel.security.vault import Vault  # slow to import, and needed once

    return Vault.generate_master_key()
