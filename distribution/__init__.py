"""What is made of the package for those who install it another way than with pip; no part of the package itself."""
