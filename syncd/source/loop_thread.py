"""The one thread in which asyncio lives; everything outside calls it synchronously."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _running_loop() -> asyncio.AbstractEventLoop:
    """One loop for the whole process: the SDK's OAuth state holds an asyncio lock and outlives single readers."""
    global _loop  # noqa: PLW0603  (one loop for each process is what it is)
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="syncd-okta", daemon=True).start()
        return _loop


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Starts a coroutine in the loop's thread and returns at once."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running_loop())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end. An interrupt of the waiting thread cancels it."""
    return result(submit(coroutine))


def result(future: Future[T]) -> T:
    """Waits for what `submit` started. An interrupt of the waiting thread cancels it."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
