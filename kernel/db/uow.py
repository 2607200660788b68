"""The unit of work: one transaction, opened and committed at an edge (a request, a packet, a job) and nowhere else."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession


class UnitOfWork:
    """A session and what shall happen once it is durable.

    Callbacks of `after_commit` are for speed alone (a hint on the bus, a cache to drop): a crash between the commit
    and the callback loses them, so whatever must not be lost is a row in the outbox instead.
    """

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self._after_commit: list[Callable[[], None]] = []

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction is durable; in order, on the event loop, never on rollback."""
        self._after_commit.append(callback)

    def committed(self) -> None:
        """Run the callbacks. Called by the edge's context manager after its commit."""
        callbacks, self._after_commit = self._after_commit, []
        for callback in callbacks:
            callback()
