"""Split over SCIM 2.0 (RFC 7643, RFC 7644): one adapter, `ScimTarget` in `split.py`, for the port `Target`."""
