"""What can be made to go wrong. Faults live in memory: a restarted simulator is well again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

KINDS: Final = {
    "error": "answers `status` (500) before anything is done; `saved` keeps that answer for the idempotency key",
    "rate_limit": "answers 429",
    "cut": "closes the connection before anything is done",
    "cut_after": "does what was asked, then closes the connection without an answer",
    "timeout": "does what was asked, then never answers; cuts after `seconds`, or when the client goes",
    "slow": "waits for `seconds`, then does what was asked; its idempotency key is in use meanwhile",
    "outage": "closes every connection, for `seconds` or until the faults are cleared",
}


@dataclass(slots=True)
class Fault:
    """It meets the next `count` requests whose method and path fit. `seconds` are of real time."""

    kind: str
    count: int = 1
    method: str = ""
    path: str = ""
    seconds: float = 0.0
    status: int = 500
    saved: bool = False
    until: float = field(default=0.0)


class Faults:
    """The faults that wait for their request."""

    def __init__(self, real: Callable[[], float]) -> None:
        self._real = real
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        fault.until = self._real() + fault.seconds if fault.kind == "outage" and fault.seconds else 0.0
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def meets(self, method: str, path: str) -> Fault | None:
        """The fault that meets this request, if any; counted."""
        for fault in list(self._waiting):
            if fault.kind == "outage" and fault.until and self._real() >= fault.until:
                self._waiting.remove(fault)
            elif fault.method in ("", method) and path.startswith(fault.path):
                if fault.kind != "outage":
                    fault.count -= 1
                    if fault.count <= 0:
                        self._waiting.remove(fault)
                return fault
        return None

    def describe(self) -> list[dict[str, object]]:
        return [{"kind": each.kind, "count": each.count, "path": each.path} for each in self._waiting]
