"""What one cycle has read, wants and plans, in a private database of its own: a population never stands in memory."""
