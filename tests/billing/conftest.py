from tests.control_plane.conftest import second, shared_world, world

__all__ = ["_plain_tracebacks", "second", "shared_world", "world"]
