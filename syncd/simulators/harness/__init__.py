"""Harness's own SCIM server: what the Split simulator is when the world's flavor is `harness`."""
