"""HTTP as both planes speak it: problem documents, request ids, body rules."""

from kernel.http.app import build_app
from kernel.http.body import MAX_BODY_BYTES
from kernel.http.operation import answers

__all__ = ["MAX_BODY_BYTES", "answers", "build_app"]
