"""A plan is carried out: journalled before and after, settled after a crash, stopped when too much goes wrong."""
