from tests.control_plane.conftest import _plain_tracebacks, second, shared_world, world

__all__ = ["_plain_tracebacks", "second", "shared_world", "world"]
