"""The ports of the engine: Source (Okta), Target (Split), Store and Stage (memory), Observer (people).

They speak values of `model` and `core`; no HTTP, no SQL, no rows. Adapters live on the floor above.
"""

from syncd.ports.observer import Observer
from syncd.ports.source import LISTS_LAG, Listing, LogPage, MemberPage, Page, Person, Source
from syncd.ports.stage import Contested, Leaving, Stage
from syncd.ports.store import (
    Decided,
    Due,
    Effect,
    Failure,
    GroupForgotten,
    GroupPushed,
    HoldRecord,
    Intent,
    MemberPushed,
    Population,
    RecentRemovals,
    RunRecord,
    Settled,
    Store,
    UserForgotten,
    UserPushed,
)
from syncd.ports.target import Applied, MemberOutcome, RemoteListing, Target, TargetProbe

__all__ = [
    "LISTS_LAG",
    "Applied",
    "Contested",
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
    "RecentRemovals",
    "RemoteListing",
    "RunRecord",
    "Settled",
    "Source",
    "Stage",
    "Store",
    "Target",
    "TargetProbe",
    "UserForgotten",
    "UserPushed",
]
