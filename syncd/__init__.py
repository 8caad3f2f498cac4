"""syncd: Okta-side provisioning daemon for Split (Harness FME)."""

__version__ = "0.1.0"
