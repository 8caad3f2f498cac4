"""What judges the packages that syncd is made of; no part of the package itself."""
