"""The ports of the engine: Source (Okta), Target (Split), Store and Stage (memory), Observer (people).

They speak values of `model` and `core`; no HTTP, no SQL, no rows. Adapters live on the floor above.
"""

from syncd.ports.deciding import Decided, HoldRecord
from syncd.ports.judged import WaitingElsewhere
from syncd.ports.observer import Observer
from syncd.ports.outcomes import (
    CreationUnproven,
    Effect,
    GroupForgotten,
    GroupPushed,
    Intent,
    MemberPushed,
    Settled,
    Unproven,
    UserForgotten,
    UserPushed,
)
from syncd.ports.source import LISTS_LAG, Bucket, Listing, LogPage, MemberPage, Page, Person, Source
from syncd.ports.stage import Contested, Leaving, Stage, Taking
from syncd.ports.store import Due, Failure, Population, RecentlyApplied, RunRecord, Store
from syncd.ports.target import Against, Applied, MemberOutcome, RemoteListing, Target, TargetProbe

__all__ = [
    "LISTS_LAG",
    "Against",
    "Applied",
    "Bucket",
    "Contested",
    "CreationUnproven",
    "Decided",
    "Due",
    "Effect",
    "Failure",
    "GroupForgotten",
    "GroupPushed",
    "HoldRecord",
    "Intent",
    "Leaving",
    "Listing",
    "LogPage",
    "MemberOutcome",
    "MemberPage",
    "MemberPushed",
    "Observer",
    "Page",
    "Person",
    "Population",
    "RecentlyApplied",
    "RemoteListing",
    "RunRecord",
    "Settled",
    "Source",
    "Stage",
    "Store",
    "Taking",
    "Target",
    "TargetProbe",
    "Unproven",
    "UserForgotten",
    "UserPushed",
    "WaitingElsewhere",
]
