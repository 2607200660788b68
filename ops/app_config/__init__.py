"""The configuration of an app as a file: pull it, compare it, push it, promote it from development to production.

What is part of it is in `registry`; a feature joins by one more `Section` there.
"""

from ops.app_config.changes import Change, difference
from ops.app_config.document import VERSION, Document, read_document, write_document
from ops.app_config.push import Changed, Outcome, changes_of, pull, push
from ops.app_config.target import Target, check_promotion, reach

__all__ = [
    "VERSION",
    "Change",
    "Changed",
    "Document",
    "Outcome",
    "Target",
    "changes_of",
    "check_promotion",
    "difference",
    "pull",
    "push",
    "reach",
    "read_document",
    "write_document",
]
