"""What a running syncd says: its log, and what people are notified of."""
