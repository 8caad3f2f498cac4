"""The one thread in which asyncio lives; everything outside calls it synchronously."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _running_loop() -> asyncio.AbstractEventLoop:
    """One loop for the whole process: the SDK's OAuth state holds an asyncio lock and outlives single readers."""
    global _loop  # noqa: PLW0603  (one loop for each process is what it is)
    with _lock:
        if _loop is None:
            made: Future[asyncio.AbstractEventLoop] = Future()
            threading.Thread(target=_loop_for, args=(made,), name="syncd-okta", daemon=True).start()
            _loop = made.result()
        return _loop


def _loop_for(made: Future[asyncio.AbstractEventLoop]) -> None:
    """Made here, where no Ctrl-C leaves half of it."""
    try:
        loop = asyncio.new_event_loop()
    except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
        made.set_exception(error)
        return
    made.set_result(loop)
    loop.run_forever()


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Starts a coroutine in the loop's thread and returns at once."""
    try:
        return asyncio.run_coroutine_threadsafe(coroutine, _running_loop())
    except BaseException:
        with suppress(ValueError):  # it runs already
            coroutine.close()
        raise


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
