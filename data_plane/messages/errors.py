"""What can go wrong with messages."""

from kernel.errors import Conflict, NotFound


class MessageIdTaken(Conflict):
    """The message id belongs to a message of another author, channel or content. Nothing of that one is shown."""

    code = "message_id_taken"
    title = "The message id is taken"


class MessageDeleted(Conflict):
    """A deleted message keeps its place and nothing else; it cannot be edited."""

    code = "message_deleted"
    title = "The message was deleted"


def no_message() -> NotFound:
    """The same for a message that is not there, is another tenant's, or stands where the caller cannot look."""
    return NotFound("There is no such message.")
