"""The views that lay a stage over the store, and the long questions that are asked of both.

In their text `main` is the stage and `store` the store; `temp` is what is private to one session. The tables stand in
the room of each database.
"""

from __future__ import annotations

WHOLE_READ = "whole_read"
"""Under this key `meta` keeps the revision at which a complete cycle last changed what is remembered."""

SPOOL_KEY, HELD, OF_GROUP, OWNER, STEPS, LEAVES = "key", "held", "of_group", "owner", "steps", "leaves"
"""Indexes of the spool, made when a question first wants them: most plans ask few, and each takes a scan of the whole
table.
"""

_BASE = "(SELECT base FROM {stage}.began)"
_SHOWN = "(SELECT lists_show FROM {stage}.began)"

# The rule of all that is read, for users and for groups: it is as old as the moment the read began. `older`: the store
# learned about this object since then, and wins. `doubtful`: a list says so, and Okta answered by id so lately that no
# list need show it yet; only another answer by id overrules that.
_JUDGED = """
CREATE TEMP VIEW IF NOT EXISTS judged_{table} AS
SELECT s.*,
    CASE
        WHEN coalesce(k.revision, t.revision, 0) > {base} THEN 'older'
        WHEN coalesce(k.asked_at, t.at, '') > {shown}
            AND NOT EXISTS (SELECT 1 FROM {stage}.by_id b WHERE b.okta_id = s.okta_id) THEN 'doubtful'
        ELSE 'fresh'
    END AS verdict
FROM {stage}.{table} s
LEFT JOIN {store}.{table} k ON k.okta_id = s.okta_id
LEFT JOIN {store}.tombstones t ON t.okta_id = s.okta_id;

CREATE TEMP VIEW IF NOT EXISTS fresh_{table} AS SELECT * FROM judged_{table} WHERE verdict = 'fresh';
"""

_VIEWS = """
-- Known groups that no staged record speaks of: once the groups were read whole, no rule names them.
CREATE TEMP VIEW IF NOT EXISTS unnamed_groups AS
SELECT k.okta_id FROM {store}.groups k
WHERE k.revision <= {base}
    AND NOT EXISTS (SELECT 1 FROM {stage}.groups s WHERE s.okta_id = k.okta_id)
    AND (coalesce(k.asked_at, '') <= {shown}
        OR EXISTS (SELECT 1 FROM {stage}.by_id b WHERE b.okta_id = k.okta_id));

-- Staged member lists that are complete and younger than the stored ones.
CREATE TEMP VIEW IF NOT EXISTS fresh_lists AS
SELECT l.* FROM {stage}.lists l LEFT JOIN {store}.groups k ON k.okta_id = l.group_id
WHERE l.complete = 1 AND coalesce(k.list_revision, 0) <= {base};

-- Staged own group lists that are younger than the stored ones; they may be asked for long after the stage began.
CREATE TEMP VIEW IF NOT EXISTS fresh_own_lists AS
SELECT o.* FROM {stage}.user_lists o LEFT JOIN {store}.users k ON k.okta_id = o.user_id
WHERE coalesce(k.own_list_revision, 0) <= o.base;

-- Users about whose memberships no group's list says anything new: their own list is younger, or too young to be in it.
-- Of groups that became known after its `revision` nothing was kept of it.
CREATE TEMP VIEW IF NOT EXISTS own_list_counts AS
SELECT k.okta_id, k.own_list_revision AS revision, k.own_list_revision > {base} AS younger FROM {store}.users k
WHERE k.own_list_revision > {base} OR k.own_list_at > {shown};
"""


def views(stage: str, store: str) -> list[str]:
    """The views that lay a stage over the store, under the names by which a connection has attached the two."""
    names = {"stage": stage, "store": store}
    names |= {"base": _BASE.format_map(names), "shown": _SHOWN.format_map(names)}
    judged = "".join(_JUDGED.format_map({**names, "table": table}) for table in ("users", "groups"))
    return [view for view in (judged + _VIEWS.format_map(names)).split(";\n") if view.strip()]


REMOTE_VIEW = """
-- The members that the target shows, as far as we know who they are.
CREATE TEMP VIEW remote_known AS
SELECT r.group_id, coalesce(l.okta_id, k.okta_id) AS user_id
FROM main.remote_members r
LEFT JOIN main.links l ON l.scim_id = r.scim_id
LEFT JOIN store.users k ON k.scim_id = r.scim_id
WHERE l.okta_id IS NOT NULL OR k.okta_id IS NOT NULL;
"""

_PAIR = "group_id TEXT, user_id TEXT, PRIMARY KEY (group_id, user_id)"
SCRATCH = {
    "candidate": _PAIR,
    "remote_pairs": _PAIR,
    "fresh_list_ids": "group_id TEXT PRIMARY KEY",
    "fresh_group_ids": "group_id TEXT PRIMARY KEY",
    "fresh_own_ids": "user_id TEXT PRIMARY KEY",
    "gone_groups": "okta_id TEXT PRIMARY KEY",
}
"""Tables of one answer about memberships, each with its columns; TEMP, so that the store sees none of it."""

# CROSS JOIN keeps the small table outside: SQLite knows no sizes here.
# Pairs that may differ. All other pairs are listed and pushed, and their user is active: nothing to do.
CANDIDATES_FULL = """
-- Listed and not pushed, or pushed and not listed.
SELECT m.group_id, m.user_id FROM store.members m WHERE m.listed <> m.pushed;
-- Pushed, and the user's standing is not active.
SELECT m.group_id, m.user_id FROM store.users u CROSS JOIN store.members m ON m.user_id = u.okta_id
WHERE u.standing <> 'active' AND m.pushed = 1;
SELECT m.group_id, m.user_id FROM main.users u CROSS JOIN store.members m ON m.user_id = u.okta_id
WHERE u.standing <> 'active' AND m.pushed = 1;
SELECT m.group_id, m.user_id FROM main.nominated u CROSS JOIN store.members m ON m.user_id = u.okta_id
WHERE m.pushed = 1;
-- New in a staged list, or gone from it.
SELECT s.group_id, s.user_id FROM main.lists l CROSS JOIN main.listed s ON s.group_id = l.group_id
LEFT JOIN store.members m ON m.group_id = s.group_id AND m.user_id = s.user_id
WHERE coalesce(m.pushed, 0) = 0;
SELECT m.group_id, m.user_id FROM main.lists l CROSS JOIN store.members m ON m.group_id = l.group_id
WHERE m.pushed = 1 AND NOT EXISTS
    (SELECT 1 FROM main.listed s WHERE s.group_id = m.group_id AND s.user_id = m.user_id);
-- Users whose own group lists were read.
SELECT s.group_id, s.user_id FROM main.user_groups s;
SELECT m.group_id, m.user_id FROM main.user_lists u CROSS JOIN store.members m ON m.user_id = u.user_id;
-- Groups about to be linked: every pair of either side.
SELECT r.group_id, r.user_id FROM remote_known r;
SELECT m.group_id, m.user_id FROM main.remote_lists l CROSS JOIN store.members m ON m.group_id = l.group_id;
SELECT s.group_id, s.user_id FROM main.remote_lists l CROSS JOIN main.listed s ON s.group_id = l.group_id
"""

CANDIDATES_OF_USERS = """
SELECT m.group_id, m.user_id FROM main.limit_users u CROSS JOIN store.members m ON m.user_id = u.okta_id;
SELECT s.group_id, s.user_id FROM main.limit_users u CROSS JOIN main.user_groups s ON s.user_id = u.okta_id;
SELECT s.group_id, s.user_id FROM main.limit_users u CROSS JOIN main.lists l
CROSS JOIN main.listed s ON s.group_id = l.group_id AND s.user_id = u.okta_id;
SELECT r.group_id, r.user_id FROM remote_known r CROSS JOIN main.limit_users u ON r.user_id = u.okta_id
"""

CANDIDATES_OF_GROUPS = """
SELECT m.group_id, m.user_id FROM {groups} g CROSS JOIN store.members m ON m.group_id = g.okta_id;
SELECT s.group_id, s.user_id FROM {groups} g CROSS JOIN main.listed s ON s.group_id = g.okta_id;
SELECT s.group_id, s.user_id FROM {groups} g CROSS JOIN main.user_groups s ON s.group_id = g.okta_id;
SELECT r.group_id, r.user_id FROM {groups} g CROSS JOIN remote_known r ON r.group_id = g.okta_id
"""

# What is true of each candidate. A group without any member list, stored or staged, has unknown members. What tells
# whether it is pushed is looked up first: who asks for removals only needs no more of most.
_PAIRS = """
WITH pair AS (
    SELECT c.group_id, c.user_id,
        CASE
            WHEN ul.user_id IS NOT NULL THEN ug.user_id IS NOT NULL
            WHEN f.group_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM own_list_counts o
                    WHERE o.okta_id = c.user_id AND o.revision >= g.known_since)
                THEN s.user_id IS NOT NULL
            ELSE coalesce(m.listed, 0) = 1
        END AS listed,
        CASE
            WHEN r.group_id IS NOT NULL THEN k.user_id IS NOT NULL
            ELSE coalesce(m.pushed, 0) = 1
        END AS pushed,
        ul.user_id IS NOT NULL OR f.group_id IS NOT NULL OR g.list_revision IS NOT NULL AS has_list,
        coalesce(fg.state, g.state) AS state,
        coalesce(fu.standing, CASE WHEN n.okta_id IS NOT NULL THEN 'absent' END, u.standing, 'absent')
            AS standing,
        fu.okta_id IS NOT NULL AS is_staged,
        hu.okta_id IS NOT NULL OR (coalesce(u.released, 0) = 1 AND au.okta_id IS NULL) AS still,
        hg.okta_id IS NOT NULL OR gg.okta_id IS NOT NULL
            OR (coalesce(g.released, 0) = 1 AND coalesce(a.what, '') <> 'link') AS group_still
    FROM temp.candidate c
    LEFT JOIN store.members m ON m.group_id = c.group_id AND m.user_id = c.user_id
    LEFT JOIN main.remote_lists r ON r.group_id = c.group_id
    LEFT JOIN temp.remote_pairs k ON k.group_id = c.group_id AND k.user_id = c.user_id
    LEFT JOIN temp.fresh_list_ids f ON f.group_id = c.group_id
    LEFT JOIN main.listed s ON s.group_id = c.group_id AND s.user_id = c.user_id
    LEFT JOIN temp.fresh_own_ids ul ON ul.user_id = c.user_id
    LEFT JOIN main.user_groups ug ON ug.group_id = c.group_id AND ug.user_id = c.user_id
    LEFT JOIN store.groups g ON g.okta_id = c.group_id
    LEFT JOIN main.asked a ON a.okta_id = c.group_id
    LEFT JOIN main.asked_users au ON au.okta_id = c.user_id
    LEFT JOIN temp.fresh_group_ids fi ON fi.group_id = c.group_id
    LEFT JOIN main.groups fg ON fg.okta_id = fi.group_id
    LEFT JOIN store.users u ON u.okta_id = c.user_id
    LEFT JOIN main.users fu ON fu.okta_id = c.user_id
        AND EXISTS (SELECT 1 FROM fresh_users x WHERE x.okta_id = c.user_id)
    LEFT JOIN main.nominated n ON n.okta_id = c.user_id
    LEFT JOIN main.still_users hu ON hu.okta_id = c.user_id
    LEFT JOIN main.still_groups hg ON hg.okta_id = c.group_id
    LEFT JOIN temp.gone_groups gg ON gg.okta_id = c.group_id
)
"""

_CASES = (
    _PAIRS
    + """
SELECT group_id AS a, user_id AS b,
    CASE WHEN listed THEN 1 ELSE 0 END + CASE WHEN is_staged THEN 2 ELSE 0 END AS c, standing AS d
FROM pair
WHERE NOT still AND NOT group_still AND state = 'pushed' AND standing <> 'frozen' AND (listed OR has_list)
    AND (listed AND standing = 'active') <> pushed
"""
)
MEMBER_CASES = f"{_CASES}ORDER BY group_id, user_id"
MEMBER_REMOVALS = f"{_CASES}AND pushed ORDER BY group_id, user_id"

WANTED_COUNT = (
    _PAIRS
    + """
SELECT coalesce(sum(CASE
    WHEN still OR standing = 'frozen' OR NOT (listed OR has_list) THEN CASE WHEN pushed THEN 1 ELSE 0 END
    WHEN listed AND standing = 'active' THEN 1
    ELSE 0
END), 0) FROM pair
"""
)

WANTED_MEMBERS = _PAIRS + "\nSELECT user_id FROM pair WHERE listed AND standing = 'active'\n"
