"""The commands, one module for each; what they say and how they end."""
