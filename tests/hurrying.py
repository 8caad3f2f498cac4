"""Short waits between the tries of an engine in this process: as many tries as ever, for the same reasons."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from syncd.okta import pace
from syncd.scim import pacing
from syncd.scim.split import SETTLE, ScimTarget

HUNDREDTH = 0.01


def hurried(
    patch: pytest.MonkeyPatch, *, first: float = 0.01, ceiling: float = 0.05, settle: float = HUNDREDTH
) -> None:
    """Until `patch` is undone: `first` and `ceiling` are seconds (`Backoff`), also after a 429 of Split that names no
    time; what is looked for after an unclear answer is looked for as often, `settle` times as long apart. What was set
    before, such as a number of tries, stays.
    """
    okta: Callable[..., Any] = pace.RetryPolicy
    split: Callable[..., Any] = pacing.RetryPolicy
    patch.setattr(pace, "RetryPolicy", partial(okta, first=first, ceiling=ceiling))
    limited = {"limited_first": first, "limited_ceiling": ceiling}
    patch.setattr(pacing, "RetryPolicy", partial(split, first=first, ceiling=ceiling, **limited))
    kept: dict[str, Any] = ScimTarget.__init__.__kwdefaults__ or {}
    patch.setitem(kept, "settle", tuple(seconds * settle for seconds in SETTLE))
