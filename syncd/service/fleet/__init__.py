"""One of several workers that serve the same connections: which it owns, for how long, and what it gives back."""
