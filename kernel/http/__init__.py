"""HTTP as both planes speak it: problem documents, request ids, body rules."""

from kernel.http.app import build_app
from kernel.http.body import MAX_BODY_BYTES, refuse_nul

__all__ = ["MAX_BODY_BYTES", "build_app", "refuse_nul"]
