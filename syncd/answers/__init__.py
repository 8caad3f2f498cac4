"""What people ask, answered from the store alone or from both sides. No cycle imports any of it."""
