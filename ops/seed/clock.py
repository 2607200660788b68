"""The time that a seeded tenant lives in."""

from datetime import datetime


class PastClock:
    """Stands where it was put: the product's own use cases then write as if it were that time."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The instant that was put last."""
        return self.at

    def monotonic(self) -> float:
        """Seconds of that instant."""
        return self.at.timestamp()
