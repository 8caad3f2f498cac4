"""The target's listing to match against, which is too long for memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncd.core.match import mail_of
from syncd.core.match_rules import MatchRule, Sought, look_up_key, look_up_keys
from syncd.core.names import look_alike_key
from syncd.model import RemoteUser
from syncd.store.rows import remote_user, remote_user_document, searchable
from syncd.store.stage.session import StageSession


class RemoteUsers:
    """The complete listing of the target's users."""

    def __init__(self, file: StageSession) -> None:
        self._file = file
        self._any = False

    def put(self, users: Sequence[RemoteUser], by: Sequence[MatchRule]) -> None:
        """Adds a page of the target's list, with the keys under which each rule of `by` looks for them."""
        self._any |= bool(users)
        rows = [
            (
                user.scim_id,
                None if user.external_id is None else searchable(user.external_id),
                searchable(look_alike_key(user.user_name)),
                searchable(mail) if (mail := mail_of(user.attributes)) else None,
                remote_user_document(user),
            )
            for user in users
        ]
        keys = [(searchable(key), user.scim_id) for user in users for key in look_up_keys(by, user)]
        with self._file.short() as conn:
            conn.executemany(
                "INSERT OR REPLACE INTO main.remote_users (scim_id, external_id, folded_name, mail, document)"
                " VALUES (?, ?, ?, ?, ?)",
                rows,
            )
            if keys:
                conn.executemany("INSERT OR IGNORE INTO main.remote_keys (key, scim_id) VALUES (?, ?)", keys)

    def candidates(self, okta_id: str, user_name: str, also: Sought) -> Sequence[RemoteUser]:
        if not self._any:
            return ()
        with self._file.asking() as conn:
            rows = conn.execute(
                "SELECT scim_id, document FROM main.remote_users WHERE external_id = ?"
                " UNION SELECT scim_id, document FROM main.remote_users WHERE folded_name = ? ORDER BY 1",
                (okta_id, searchable(look_alike_key(user_name))),
            ).fetchall()
            for attribute, value in also:
                rows += conn.execute(
                    "SELECT r.scim_id, r.document FROM main.remote_keys k"
                    " JOIN main.remote_users r ON r.scim_id = k.scim_id WHERE k.key = ? ORDER BY 1",
                    (searchable(look_up_key(attribute, value)),),
                ).fetchall()
        rows = list(dict.fromkeys(rows)) if also else rows
        return [remote_user(scim_id, document) for scim_id, document in rows]

    def with_mail(self, mail: str) -> Sequence[RemoteUser]:
        """Accounts with this address as mail or userName, 20 at most; `mail` is folded already."""
        if not self._any or not mail:
            return ()
        query = (
            "SELECT scim_id, document FROM main.remote_users"
            " WHERE mail = ?1 OR folded_name = ?1 ORDER BY 1 LIMIT 20"
        )
        with self._file.asking() as conn:
            rows = conn.execute(query, (searchable(mail),)).fetchall()
        return [remote_user(scim_id, document) for scim_id, document in rows]

    def one(self, scim_id: str) -> RemoteUser | None:
        """None where the list that was staged has no such account."""
        if not self._any:
            return None
        query = "SELECT document FROM main.remote_users WHERE scim_id = ?"
        with self._file.asking_beside() as conn:
            row = conn.execute(query, (scim_id,)).fetchone()
        return None if row is None else remote_user(scim_id, row[0])

    def everyone(self) -> Iterator[RemoteUser]:
        """See `ports.Stage.everyone`."""
        pages = self._file.pages(
            "SELECT scim_id FROM main.remote_users ORDER BY 1",
            (),
            "SELECT q.n, q.a, r.document FROM {queue} q JOIN main.remote_users r ON r.scim_id = q.a",
        )
        for page in pages:
            yield from (remote_user(scim_id, document) for _, scim_id, document in page)
