"""The settings of a connection between two simulators, as the text of their file."""

from __future__ import annotations

FREE_TO_CHANGE = """max_creations = 100000
max_updates = 100000
max_identity_changes = 100000
max_blanked = 100000
max_member_additions_per_group = 100000
max_protected_additions = 100000
canary = false
"""
"""Lines for `[safety]` where the subject is another: no limit of what is not a removal, and nobody feels their way."""
STANDARD_ATTRIBUTES = """[attributes]
userName = "email"
"name.givenName" = "givenName"
"name.familyName" = "familyName"
displayName = "{givenName} {familyName}"
"emails[work].value" = "email"
"""
"""What a file without `[attributes]` means, written out."""


def connection_text(
    name: str,
    *,
    okta: tuple[str, str],
    split: str,
    tokens: tuple[str, str],
    okta_more: str = "",
    split_more: str = "",
    more: str = "",
    state: str | None = None,
) -> str:
    """`okta` is the org's URL and the app's id, `split` the base URL, `tokens` the variables with Okta's token and with
    Split's. `okta_more` and `split_more` are further lines of their tables, `more` further tables.
    """
    lines = [
        "",
        f'name = "{name}"',
        *([] if state is None else [f'state = "{state}"']),
        "[okta]",
        f'org_url = "{okta[0]}"',
        f'app_id = "{okta[1]}"',
        f'token = {{ env = "{tokens[0]}" }}',
        *([okta_more] if okta_more else []),
        "[split]",
        f'base_url = "{split}"',
        f'token = {{ env = "{tokens[1]}" }}',
        *([split_more] if split_more else []),
        more,
        "",
    ]
    return "\n".join(lines)
