from __future__ import annotations

from tests.postgres.fixtures import postgres as postgres  # noqa: PLC0414  (fixtures, for every test here)
from tests.postgres.fixtures import prepared as prepared  # noqa: PLC0414
