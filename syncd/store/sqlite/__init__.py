"""The store of one connection in a file of its own: the only door to sqlite3 and sqlite-utils."""
