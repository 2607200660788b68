"""Engine.IO 4, the server's side: HTTP long-polling, WebSocket, and the upgrade from one to the other.

It carries packets' text and knows nothing of what they mean. Source: the Engine.IO protocol document, revision 4.
"""
