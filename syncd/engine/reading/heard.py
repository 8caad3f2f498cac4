"""What answers about people told about their groups: knowledge, though it came by the way.

A person's own group list calls each group by its name, and a second look at a membership asks for the group. So a group
that nobody looks at is found to have left its rule before anybody is let into it, whatever the System Log has told yet.
What comes only when the groups are decided becomes the wish, which older reads of other cycles do not overrule; what
was decided about these groups is put off, and the next delta looks at them.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.engine.job import Job
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.named import read_selected_groups
from syncd.errors import TemporaryError
from syncd.model import GroupState
from syncd.ports import Stage


def ask_own_groups(job: Job, stage: Stage, reading: Reading, user_id: str) -> frozenset[str]:
    """The person's own group list as it is now, staged. Raises what Okta's answer raises."""
    before = stage.revision()
    own = job.source.groups_of(user_id)
    stage.put_user_groups(user_id, own, asked=before)
    reading.heard.update(own)
    return frozenset(own)


def take_up_what_was_heard(job: Job, stage: Stage, reading: Reading) -> Sequence[str]:
    """Groups in scope that are called otherwise by now, or gone, are read by id with all that their wish hangs on.
    Returns their Okta ids. No request when there are none.
    """
    heard, reading.heard = reading.heard, {}
    if not heard:
        return ()
    wishes = {known.okta_id: known.wanted for known in map(job.store.group, heard) if known}
    wishes |= {case.okta_id: case.wanted for case in stage.group_cases() if case.wanted}
    other = [
        okta_id
        for okta_id, wish in sorted(wishes.items())
        if wish.state is not GroupState.GONE and heard.get(okta_id, "") not in ("", wish.name)
    ]
    if not other:
        return ()
    try:
        read_selected_groups(job, stage, reading, other, frozenset())
    except TemporaryError as problem:
        reading.problems.append(problem)
    stage.doubt(groups=other)
    return other
