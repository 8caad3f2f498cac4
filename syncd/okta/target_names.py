"""Push mappings name their target by id; its name is one more request for each (Okta "Group Push Mappings")."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from syncd.errors import AccessDenied, ConnectionSick, IncompleteRead, Scope, SyncdError
from syncd.model import BadRecord, PushMapping
from syncd.okta import records
from syncd.okta.answers import Answer
from syncd.okta.listing import RawPage


async def with_target_names(
    pages: AsyncIterator[RawPage],
    names: dict[str, str | None],
    get: Callable[[str], Awaitable[Answer]],
    what: str,
) -> AsyncIterator[RawPage]:
    """The same pages, each after the names of its targets were put into `names`.

    A name that may not be read or whose group is gone is None. Raises IncompleteRead when a read fails otherwise.
    """

    async def name(group_id: str, page: int) -> None:
        try:
            answer = await get(f"/api/v1/groups/{quote(group_id, safe='')}")
        except AccessDenied as denied:
            if denied.scope is Scope.CONNECTION:
                raise
            names[group_id] = None
            return
        except ConnectionSick:
            raise
        except SyncdError as error:
            raise IncompleteRead(
                what, page, f"name of target {group_id}: {error.message}", hint=error.hint
            ) from error
        group = records.checked(answer.body, records.group, answer.reveals) if answer.status == 200 else None
        names[group_id] = None if group is None or isinstance(group, BadRecord) else group.name

    async for page in pages:
        mappings = [records.push_mapping(record) for record in page.records]
        targets = {
            mapping.target_group_id
            for mapping in mappings
            if isinstance(mapping, PushMapping) and mapping.target_group_id is not None
        }
        # The conversation bounds how many of these are under way.
        await asyncio.gather(*(name(target, page.number) for target in sorted(targets - names.keys())))
        yield page
