"""Whether this process may still write, asked right before each request to the target."""

from __future__ import annotations

from collections.abc import Callable

Permit = Callable[[], None]
"""Raises LockLost, which ends the request: nothing of it is sent any more, and it is not repeated. Asked from any
thread; costs a look at a clock as long as there is no doubt.
"""
