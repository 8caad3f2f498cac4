"""Foreign bytes against everything that reads them: nothing but the documented errors, bounded time and memory.

`targets.TARGETS` is the table of what is tried. `python -m tests.fuzz TARGET` tries one, `--replay FILE` tries a
finding again. `make test` gives each target FUZZ_SECONDS (0.5) from a seed that is always the same, `make chaos` a
minute from a new one, which it prints.
"""
