from tests.service.connecting import world

__all__ = ["world"]
