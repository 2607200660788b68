from tests.control_plane.conftest import second, world

__all__ = ["second", "world"]
