"""Which users and groups a list request asks for, and the ways in which servers get filters wrong."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from syncd.simulators.filters import FilterError, compile_filter, equality
from syncd.simulators.scim_wire import ScimError, Service
from syncd.simulators.split_entities import Json

_FOLDED = frozenset({"displayname", "name.givenname", "name.familyname", "emails.value"})
_UNSUPPORTED = {"unsupported_404": 404, "unsupported_400": 400, "unsupported_501": 501}

Index = Callable[[str], Sequence[str]]


def found(
    service: Service, everything: Sequence[str], indexes: dict[str, Index], record: Callable[[str], Json]
) -> Sequence[str]:
    """The ids a request's `filter` selects; all of them without one.

    `indexes` answer `attribute eq "text"` at once; any other filter is tried on every record.
    """
    expression = service.call.query.get("filter")
    knobs = service.knobs
    if expression is None or knobs.filter_mode == "ignored":
        return everything
    if knobs.filter_mode in _UNSUPPORTED:
        raise ScimError(_UNSUPPORTED[knobs.filter_mode], "Filters are not supported", "invalidFilter")
    matching = _matching(service, expression, everything, indexes, record)
    if not matching and knobs.filter_mode == "no_match_404":
        raise ScimError(404, "No resource matches the filter")
    return matching


def _matching(
    service: Service,
    text: str,
    everything: Sequence[str],
    indexes: dict[str, Index],
    record: Callable[[str], Json],
) -> Sequence[str]:
    single = equality(text)
    if single is not None and single[0].lower() == "externalid" and not service.knobs.filter_external_id:
        return []
    if single is not None and isinstance(single[1], str):
        if service.knobs.filter_regex:
            return _by_pattern(single[0], single[1], everything, record)
        index = indexes.get(single[0].lower())
        if index is not None:
            return index(single[1])
    folded = _FOLDED if service.knobs.case_sensitive else _FOLDED | {"username"}
    try:
        predicate = compile_filter(text, folded=folded)
    except FilterError as error:
        raise ScimError(400, str(error), "invalidFilter") from error
    return [identity for identity in everything if predicate(record(identity))]


def _by_pattern(
    attribute: str, pattern: str, everything: Sequence[str], record: Callable[[str], Json]
) -> list[str]:
    try:
        expression = re.compile(pattern)
    except re.error:
        return []
    values: dict[str, Any] = {identity: record(identity).get(attribute) for identity in everything}
    return [i for i, value in values.items() if isinstance(value, str) and expression.fullmatch(value)]
