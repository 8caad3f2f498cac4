"""What runs cycles: from what Okta says to what stands at the target, through the ports."""
