"""Why a command of the operator cannot go on, and what to do about it."""


class CannotStart(Exception):
    """Something outside this program stands in the way. `way_out` tells a person what to do about it."""

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out
