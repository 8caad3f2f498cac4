"""Okta, read and never written: one adapter, `OktaReader` in `reader.py`, for the port `Source`."""
