"""What a second look at memberships told about the groups themselves: knowledge like any other answer by id.

It comes when the groups are decided already. So it becomes the wish, which older reads of other cycles do not overrule,
and the next delta looks at these groups.
"""

from __future__ import annotations

from syncd.engine.job import Job
from syncd.engine.reading import Reading, read_selected_groups
from syncd.errors import TemporaryError
from syncd.model import GroupState, WantedGroup
from syncd.ports import Stage


def take_up_what_was_heard(job: Job, stage: Stage, reading: Reading) -> None:
    """Groups that are called otherwise by now, or gone, are read by id with all that their wish hangs on. Costs nothing
    when there are none.
    """
    wishes = {known.okta_id: known.wanted for known in map(job.store.group, reading.heard) if known}
    if all(name == _name(wishes.get(okta_id)) for okta_id, name in reading.heard.items()):
        return
    wishes |= {case.okta_id: case.wanted for case in stage.group_cases() if case.wanted}
    other = [okta_id for okta_id, name in sorted(reading.heard.items()) if name != _name(wishes.get(okta_id))]
    if not other:
        return
    try:
        read_selected_groups(job, stage, reading, other, frozenset())
    except TemporaryError as problem:
        reading.problems.append(problem)
    stage.doubt(groups=other)


def _name(wish: WantedGroup | None) -> str | None:
    return None if wish is None or wish.state is GroupState.GONE else wish.name
