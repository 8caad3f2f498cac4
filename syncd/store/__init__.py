"""What one connection remembers, on SQLite. `open_store` writes, `open_for_reading` leaves the disk untouched."""

from syncd.ports.trail import ChainReport, JournalEntry
from syncd.store.sqlite.connection import sqlite_version
from syncd.store.sqlite.opening import open_for_reading, open_store
from syncd.store.sqlite.store import SqliteStore

__all__ = ["ChainReport", "JournalEntry", "SqliteStore", "open_for_reading", "open_store", "sqlite_version"]
