"""What people ask: each module answers one command from the store, or from both sides. No cycle imports any of it."""
