"""syncd: Okta-side provisioning daemon for Split (Harness FME)."""

__version__ = "0.2.0"
