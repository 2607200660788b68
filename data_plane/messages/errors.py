"""What can go wrong with messages."""

from kernel.errors import Conflict, NotFound, RateLimited


class MessageIdTaken(Conflict):
    """The message id belongs to a message of another author, channel or content. Nothing of that one is shown."""

    code = "message_id_taken"
    title = "The message id is taken"


class MessageDeleted(Conflict):
    """A deleted message keeps its place and nothing else; it cannot be edited."""

    code = "message_deleted"
    title = "The message was deleted"


class MessagePurged(Conflict):
    """The message was deleted for good: nothing of it is left that could be restored."""

    code = "message_purged"
    title = "The message was deleted for good"


class NestedReply(Conflict):
    """A reply is in a thread already; answer the message that the thread hangs on, and quote the reply if need be."""

    code = "nested_reply"
    title = "A reply cannot be replied to"


def no_message() -> NotFound:
    """The same for a message that is not there, is another tenant's, or stands where the caller cannot look."""
    return NotFound("There is no such message.")


class ChannelSlow(RateLimited):
    """The channel is slow: a member waits `slow_mode` seconds between two messages, `retry_after_ms` of them still.
    Whoever has `message.send.slow` does not wait."""

    code = "channel_slow"
    title = "The channel is slow"

    @classmethod
    def of(cls, refusal: RateLimited, channel_id: str, seconds: int) -> "ChannelSlow":
        """From what the limit said."""
        wait = refusal.retry_after or 1.0
        return cls(
            f"This channel is slow: one message every {seconds} s.",
            retry_after=wait,
            policy="messages.slow",
            channel_id=channel_id,
            slow_mode=seconds,
            retry_after_ms=max(1, round(wait * 1000)),
        )
