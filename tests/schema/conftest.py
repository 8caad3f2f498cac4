from tests.cli.conftest import syncd, world

__all__ = ["syncd", "world"]
