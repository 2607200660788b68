"""The audit log: who changed what, written in the transaction of the change."""

from control_plane.audit.service import record

__all__ = ["record"]
