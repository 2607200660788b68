"""Bots: a realtime client over Socket.IO that comes back by itself and hears everything once.

Needs `pip install 'natter-sdk[realtime]'`.
"""

try:
    import aiohttp as _aiohttp  # noqa: F401 - python-socketio's own import of it fails silently
    import socketio as _socketio  # noqa: F401
except ImportError as _error:
    raise ImportError("natter.realtime needs python-socketio: pip install 'natter-sdk[realtime]'") from _error

from ._client import RealtimeClient, TokenSource, Url
from ._events import RealtimeEvent

__all__ = ["RealtimeClient", "RealtimeEvent", "TokenSource", "Url"]
