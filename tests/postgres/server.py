"""A PostgreSQL of the tests' own: the one that the demo of fleets begins with."""

from __future__ import annotations

from syncd.demo.fleet.postgresql import Server, binaries, running

__all__ = ["REQUIRED", "Server", "binaries", "running"]

REQUIRED = "SYNCD_TESTS_NEED_POSTGRESQL"
"""An environment variable: where it is set, a test that finds no PostgreSQL fails instead of being skipped."""
