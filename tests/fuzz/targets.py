"""Everything that reads foreign input, by what it reads and by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fuzz.cycle import CYCLE_TARGETS
from tests.fuzz.files_side import FILE_TARGETS
from tests.fuzz.okta_side import OKTA_TARGETS
from tests.fuzz.scim_side import SCIM_TARGETS
from tests.fuzz.target import Target
from tests.fuzz.text_side import TEXT_TARGETS
from tests.fuzz.wire import WIRE_TARGETS

GROUPS: Mapping[str, Sequence[Target]] = {
    "okta": OKTA_TARGETS,
    "scim": SCIM_TARGETS,
    "wire": WIRE_TARGETS,
    "files": FILE_TARGETS,
    "texts": TEXT_TARGETS,
    "cycles": CYCLE_TARGETS,
}
TARGETS: Mapping[str, Target] = {target.name: target for group in GROUPS.values() for target in group}
