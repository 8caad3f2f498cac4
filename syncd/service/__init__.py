"""The daemon: cycles on a schedule, and what it says about itself to systemd, to metrics and to people."""
