"""The link that opens the mail outbox once, for the start screen."""

import json
import secrets
from datetime import UTC, datetime, timedelta

import asyncpg

from kernel.ids import Ids, format_id
from kernel.security import keys
from kernel.security.vault import Vault
from kernel.settings import Settings

_ISSUE = """
insert into control.one_time_tokens (id, purpose, digest, created_at, expires_at)
values ($1, 'outbox', $2, $3, $4)
"""
_AUDIT = """
insert into control.audit_entries (id, at, actor, action, target, data)
values ($1, $2, 'system:up', 'outbox.link_created', $3, $4)
"""


async def make_outbox_link(settings: Settings) -> str:
    """What `control_plane.accounts.local.create_outbox_link` does, for `natter up`.

    Done here by hand, because importing that costs half a second of every start; a test holds the two together.
    """
    ids, now, token = Ids(), datetime.now(UTC), secrets.token_urlsafe(32)
    token_id = ids.uuid7()
    digest = keys.digest(Vault(settings.master_key).key("one-time-tokens"), token)
    connection = await asyncpg.connect(
        settings.database_url, timeout=10, server_settings={"role": "natter_control", "application_name": "natter-up"}
    )
    try:
        async with connection.transaction():
            await connection.execute(_ISSUE, token_id, digest, now, now + timedelta(hours=24))
            await connection.execute(_AUDIT, ids.uuid7(), now, format_id("tok", token_id), json.dumps({}))
    finally:
        await connection.close()
    return f"{settings.portal}/local/{token}"
