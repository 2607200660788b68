"""Threads as one user sees them."""

from typing import NotRequired, TypedDict

from data_plane.messages.views import MessageView, ThreadView


class OwnThread(TypedDict):
    """A thread that the user takes part in: it began it, replied, or was mentioned there."""

    channel_id: str
    message: MessageView
    """The message that it hangs on."""
    thread: ThreadView
    read_number: int
    """How far the user has read, as a reply's number."""
    unread: int
    hidden_numbers: NotRequired[list[int]]
    """The numbers of unread replies that the user has deleted for itself. Left out when there are none."""


class ThreadPage(TypedDict):
    """A page of threads, the one with the latest reply first."""

    threads: list[OwnThread]
    next_cursor: str | None


class ThreadPosition(TypedDict):
    """How far somebody has read a thread."""

    thread_id: str
    channel_id: str
    read_number: int
    last_number: int
    unread: int
