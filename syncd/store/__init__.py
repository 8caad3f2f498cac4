"""What one connection remembers, on SQLite. `open_store` writes, `open_for_reading` leaves the disk untouched."""

from sqlite3 import sqlite_version

from syncd.ports.trail import ChainReport, JournalEntry
from syncd.store.opening import open_for_reading, open_store
from syncd.store.sqlite import SqliteStore

__all__ = ["ChainReport", "JournalEntry", "SqliteStore", "open_for_reading", "open_store", "sqlite_version"]
