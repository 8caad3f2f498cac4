"""`check`: is everything there that a sync will need? Each probe reads a little, on its own."""
