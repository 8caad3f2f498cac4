"""Renderer of a person and an account, side by side, before a person ties them."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.core.match import Pair
from syncd.report.lines import BLANK, Line, Span, columns, faint, line, safe, shown, strong

_STATES = {True: "active", False: "inactive", None: "not shown"}


def pair_lines(pair: Pair) -> Iterator[Line]:
    """Each attribute as Okta wants it and as the account has it."""
    wanted, remote = pair.wanted, pair.remote
    looks = f"  ({pair.how})" if pair.how else ""
    yield line(strong(safe(wanted.user_name)), f" and the account {safe(remote.user_name)}{looks}")
    rows = [[faint("  "), faint("in Okta"), faint("at the target")]]
    rows.append([faint("id"), Span(safe(wanted.okta_id)), Span(safe(remote.scim_id))])
    rows.append([faint("state"), Span(safe(wanted.reason)), Span(_STATES[remote.active])])
    rows.append([faint("externalId"), Span(safe(wanted.okta_id)), Span(shown(remote.external_id))])
    for path in sorted({*wanted.attributes, *remote.attributes}):
        have, want = remote.attributes.get(path), wanted.attributes.get(path)
        rows.append([faint(safe(path)), Span(shown(want)), Span(shown(have), "" if have == want else "warn")])
    yield from columns(rows)
    yield BLANK
