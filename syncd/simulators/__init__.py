"""Okta and a SCIM target over real HTTP, to try syncd against. They share no code with what they judge."""
