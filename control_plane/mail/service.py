"""Hand letters in."""

from typing import Final

import msgspec

from control_plane.context import Context
from control_plane.mail.letters import Letter
from control_plane.mail.models import Mail

PURPOSE: Final = "mail"


def post(ctx: Context, letter: Letter) -> None:
    """Add a letter to the transaction: it goes out if and only if that commits.

    It is sealed whole, because it holds links that open accounts. The use case that posts it writes the audit entry.
    """
    mail_id = ctx.ids.uuid7()
    sealed = ctx.vault.seal(PURPOSE, msgspec.json.encode(letter), context=mail_id.bytes)
    ctx.session.add(
        Mail(
            id=mail_id,
            kind=letter.kind,
            sealed=sealed,
            created_at=ctx.now,
            state="waiting",
            attempts=0,
            due_at=ctx.now,
        )
    )
