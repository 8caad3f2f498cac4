"""What a plan leaves alone comes back as it was given, in a small part of the room."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.diff import Skipped
from syncd.core.left_alone import LeftAlone, skipped_document

_TEXT = st.text(st.characters(), max_size=20)
_SKIPS = st.builds(
    Skipped, _TEXT, _TEXT, _TEXT, _TEXT, st.sampled_from(["user", "group"]), st.lists(_TEXT).map(tuple)
)


@settings(deadline=None)
@given(st.lists(_SKIPS))
def test_it_is_read_as_often_as_you_like_as_it_was_given(skips: list[Skipped]) -> None:
    packed = LeftAlone(iter(skips))

    assert list(packed) == list(packed) == skips
    assert len(packed) == len(skips) == sum(packed.counts.values())
    assert list(packed.documents) == list(map(skipped_document, skips))
    assert all(skip in packed for skip in skips)


def test_forty_thousand_take_two_megabytes_at_most() -> None:
    def everybody(number: int) -> Skipped:
        reason = "assigned to the app, but create_users is off"
        return Skipped("create_off", f"00u{number:017}", f"person.{number:06}@example.com", reason)

    tracemalloc.start()
    packed = LeftAlone(map(everybody, range(40_000)))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(packed) == 40_000
    assert size < 2_000_000
