"""What push rules go by besides the groups themselves: which are assigned to the app, and Okta's own push mappings."""

from __future__ import annotations

from syncd.engine.job import Job
from syncd.engine.reading.better_known import better_known_groups
from syncd.engine.reading.learned import Reading
from syncd.engine.reading.one_by_one import each_by_itself
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import SyncdError
from syncd.model import Absent, GroupState, PushMapping
from syncd.ports import Stage


def read_assigned(job: Job, stage: Stage, reading: Reading) -> None:
    """Raises what the list raises. It lags like every list: where it says otherwise about a group than Okta answered by
    id a moment before, the assignment is asked for by id too.
    """
    listing = job.source.app_groups()
    found = {group_id for page in listing for group_id in page.records}
    doubtful = _doubtful(job, stage, found)
    few, left = list(doubtful)[:BY_ID_AT_MOST], list(doubtful)[BY_ID_AT_MOST:]
    found ^= doubtful.keys()  # as stored, until asked
    for okta_id, answer in each_by_itself(few, job.source.app_group):
        if isinstance(answer, SyncdError):
            reading.cannot_tell("group", okta_id, answer)
            stage.hold_group_still(okta_id)
            continue
        assigned = not isinstance(answer, Absent)
        if assigned is doubtful[okta_id]:
            _contradict(job, reading, okta_id, assigned=assigned)
        (found.add if assigned else found.discard)(okta_id)
    if left:
        stage.doubt(groups=left)
        reading.leave_in_doubt("groups", len(left))
    reading.rule_lists.assigned = frozenset(found)


def _doubtful(job: Job, stage: Stage, listed: set[str]) -> dict[str, bool]:
    """Groups about whose assignment the store says otherwise, and knows better: whether it has them as assigned."""
    labels = {rule.source.label for rule in job.rules.rules if rule.source.kind == "assigned"}
    found = {}
    for okta_id, known in sorted(better_known_groups(job, stage).items()):
        wish = known.wish
        stored = wish is not None and wish.state is not GroupState.GONE
        by_another_rule = wish is not None and stored and wish.rule not in labels
        if not by_another_rule and (okta_id in listed) is not stored:
            found[okta_id] = stored
    return found


def _contradict(job: Job, reading: Reading, okta_id: str, *, assigned: bool) -> None:
    known = job.store.group(okta_id)
    said = (
        ("missing from the list of the app's groups", "shows the assignment")
        if assigned
        else ("in the list of the app's groups", "knows no assignment")
    )
    reading.contradict(okta_id, known.wanted.name if known else okta_id, *said, about="group")


def read_mappings(job: Job, reading: Reading) -> None:
    """Raises what the list raises. A mapping has no id to ask for that outlives it."""
    listing = job.source.mappings()
    found: dict[str, PushMapping] = {}
    for page in listing:
        found |= {mapping.source_group_id: mapping for mapping in page.records}
    reading.rule_lists.mappings = found
    reading.rule_lists.mappings_proof = listing.proof
