"""Whole cycles, from a read to its result: sync, delta, drift, link and relink."""
