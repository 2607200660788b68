"""Keys that are found where they should not be: scanners and passers-by report them, and they are revoked.

A report is answered before it is judged: only what anybody can work out by himself (the checksum) decides anything
before the answer, so neither its words nor its time say whether a key exists. A job does the rest.
"""

from control_plane.keys.leaks.jobs import LeakJobs
from control_plane.keys.leaks.routes import LEAK_ROUTES

__all__ = ["LEAK_ROUTES", "LeakJobs"]
