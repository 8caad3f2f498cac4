"""The ways in which SCIM servers differ from one another, as settings of the Split simulator."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from syncd.simulators.turning import refuse_unknown

FilterMode = Literal[
    "works", "ignored", "no_match_404", "unsupported_404", "unsupported_400", "unsupported_501"
]
Duplicates = Literal["refuse", "twin"]
PostsAnswer = Literal["new", "same_name", "same_letters", "same_email", "oldest"]
MemberRemoval = Literal["works", "ignored", "clears", "refused_400", "refused_501"]
Location = Literal["absolute", "relative", "missing", "wrong"]
CaseFolding = Literal["casefold", "lower"]


@dataclass(frozen=True, slots=True)
class SplitKnobs:
    """Every default is a server that follows RFC 7643 and 7644 and the "SCIM for Okta in Split" page.

    Verbs: `patch_users`, `patch_groups` and `put` off answer 405 (a server that is PUT only, PATCH only);
    `patch_204` answers PATCH without a body; `delete_status` is 204, 200 or 405.
    Users: `case_sensitive` is about userName; off, `case_folding` says how it is compared (Python servers fold,
    where straße is strasse; PostgreSQL's `lower` does not); `put_without_active_enables`; `put_without_active_drops`.
    Values: `lowercase_names` (userName and e-mails) and `lowercase_values` (every text), `trim`, `nfc` (Unicode NFC),
    `numbers_as_text`, `untyped_email` (`type` is dropped): what is stored is made so.
    `names_by_id` off shows `name` in lists only; `names_shown` off shows it nowhere.
    `inactive_until_accepted`: an account that a client makes is shown inactive, whatever is written, until
    `accept_invitation`.
    Finding: `filter_mode`; `filter_regex` treats `eq` as a pattern; `max_count` caps pages;
    `ignore_paging` always answers the first page; `total_is_page_length`; `total_cap`; `cursor_paging`
    (RFC 9865) answers `cursor`.
    Members: `members_in_lists`, `members_shown`, `members_listed` (how many a list shows, -1 for all),
    `members_empty` always shows `[]`, `members_shown_at_most` (by id too, -1 for all), `members_ignored`
    answers every change of members with success and does nothing,
    `remove_by_filter`, `remove_by_values`, `replace_only_adds`, `put_ignores_members`,
    `post_ignores_members`, `pathless_ignored`, `deleted_stay_members`, `unknown_member_status` (0 accepts).
    `bad_member` is the userName of somebody with whom every change of members that names them is refused with
    `bad_member_status`, and nothing of it is done.
    Licence: with `seats` (0: no limit) active users nobody more is created or woken up: `seats_status`.
    Duplicates: `duplicates`, `conflict_status`, `conflict_scim_type`. `posts_answer`: a POST makes nothing
    where there is an object of the same name, the name in other letters, the same e-mail, or any (then the
    oldest), and answers with that one under `posts_answer_status`; `posts_touch` gives it the values of the
    POST first and makes it active.
    external ids: `keep_user_external_id`, `keep_group_external_id`, `filter_external_id`,
    `external_id_shown` off stores and never shows them. `meta_shown` off leaves out when and what.
    Errors: `status_as_int`, `text_401`, `disabled_status` (403 or 404 while SCIM is off).
    `etag` answers ETag and meta.version and honours If-Match; `weak_etag` makes them weak (RFC 7644 section 3.14 shows
    such), and with `etag_compares_strongly` (RFC 9110 section 13.1.1) no If-Match of a weak one ever fits; `location`;
    `discovery` off answers 404 on ServiceProviderConfig, `discovery_lies` announces neither filter nor PATCH;
    `require_scim_type` refuses application/json with 415; `name_limit` is the first length of a group name that is
    refused (0: none).
    Speed: `latency_seconds` for each request, `operation_seconds` more for each operation of a PATCH,
    `requests_per_second` (0: no limit) answers 429 with Split's reset headers.
    """

    patch_users: bool = True
    patch_groups: bool = True
    put: bool = True
    patch_204: bool = False
    delete_status: int = 204
    case_sensitive: bool = True
    case_folding: CaseFolding = "casefold"
    lowercase_names: bool = False
    lowercase_values: bool = False
    trim: bool = False
    nfc: bool = False
    numbers_as_text: bool = False
    untyped_email: bool = False
    names_by_id: bool = True
    names_shown: bool = True
    inactive_until_accepted: bool = False
    put_without_active_enables: bool = False
    put_without_active_drops: bool = False
    filter_mode: FilterMode = "works"
    filter_regex: bool = False
    max_count: int = 0
    ignore_paging: bool = False
    total_is_page_length: bool = False
    total_cap: int = 0
    cursor_paging: bool = False
    members_in_lists: bool = True
    members_shown: bool = True
    members_empty: bool = False
    members_shown_at_most: int = -1
    members_ignored: bool = False
    members_listed: int = -1
    remove_by_filter: MemberRemoval = "works"
    remove_by_values: MemberRemoval = "works"
    replace_only_adds: bool = False
    put_ignores_members: bool = False
    post_ignores_members: bool = False
    pathless_ignored: bool = False
    deleted_stay_members: bool = False
    unknown_member_status: int = 400
    bad_member: str = ""
    bad_member_status: int = 500
    seats: int = 0
    seats_status: int = 409
    duplicates: Duplicates = "refuse"
    posts_answer: PostsAnswer = "new"
    posts_answer_status: int = 201
    posts_touch: bool = False
    conflict_status: int = 409
    conflict_scim_type: bool = True
    keep_user_external_id: bool = True
    keep_group_external_id: bool = True
    external_id_shown: bool = True
    meta_shown: bool = True
    filter_external_id: bool = True
    status_as_int: bool = False
    text_401: bool = False
    disabled_status: int = 403
    etag: bool = False
    weak_etag: bool = False
    etag_compares_strongly: bool = False
    location: Location = "absolute"
    discovery: bool = True
    discovery_lies: bool = False
    require_scim_type: bool = False
    name_limit: int = 25
    latency_seconds: float = 0.0
    operation_seconds: float = 0.0
    requests_per_second: int = 0

    def changed(self, **changes: Any) -> Self:
        """These knobs with some turned. Raises ValueError for a knob that does not exist."""
        refuse_unknown(self, changes)
        return replace(self, **changes)
