from tests.control_plane.conftest import second, shared_world, world

__all__ = ["second", "shared_world", "world"]
