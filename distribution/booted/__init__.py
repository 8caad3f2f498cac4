"""What runs inside the booted machine, as root, with Debian's Python alone: `python3 -m distribution.booted`.

It works the installed package by systemctl, journalctl and the simulators' control interface, as an administrator
would by docs/operations.md, and says of each step what was seen.
"""
