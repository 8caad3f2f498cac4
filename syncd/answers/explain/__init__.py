"""`explain`: why one user or one group is as it is, asked in the order in which a cycle asks."""
