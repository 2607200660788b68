"""What tells a value that was left out from `None`, which takes something away."""

from enum import Enum
from typing import Final, Literal


class _Sentinel(Enum):
    """An enum, because type checkers narrow its members away."""

    NOT_GIVEN = "NOT_GIVEN"

    def __repr__(self) -> str:
        return self.name

    def __bool__(self) -> Literal[False]:
        return False


NotGiven = Literal[_Sentinel.NOT_GIVEN]
NOT_GIVEN: Final[NotGiven] = _Sentinel.NOT_GIVEN
"""The default of what stays as it is when you leave it out."""
