"""Natter's chat for your Python server.

    from natter import Natter

    natter = Natter("sk_…", url="https://chat.example.com")
    natter.users.upsert([{"id": "ada"}, {"id": "grace"}])
    natter.channels.create(id="general", members=["ada", "grace"])
    natter.for_user("ada").messages.send("general", text="Hello, Grace!")

`Natter` blocks and `AsyncNatter` is awaited; they have the same calls. Results are in `natter.models`, what goes wrong
is in `natter.errors`, bots find `RealtimeClient` in `natter.realtime`.
"""

from . import errors, models, params
from ._client import AsyncNatter, Natter
from ._given import NOT_GIVEN, NotGiven
from ._ids import new_message_id
from ._retry import Retry
from ._version import VERSION
from .errors import APIError, ConnectionFailed, NatterError, TimedOut, UnexpectedAnswer
from .token_signer import TokenSigner
from .webhooks import WebhookEvent, WebhookVerificationError, WebhookVerifier

__version__ = VERSION

__all__ = [
    "NOT_GIVEN",
    "APIError",
    "AsyncNatter",
    "ConnectionFailed",
    "Natter",
    "NatterError",
    "NotGiven",
    "Retry",
    "TimedOut",
    "TokenSigner",
    "UnexpectedAnswer",
    "WebhookEvent",
    "WebhookVerificationError",
    "WebhookVerifier",
    "errors",
    "models",
    "new_message_id",
    "params",
]
