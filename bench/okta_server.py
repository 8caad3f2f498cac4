"""An Okta org that answers faster than any client asks: pages are made once, or from a template by replacing digits.

`python -m bench.okta_server USERS GROUPS MEMBERS COMPRESSED` (1: pages of users come as gzip). Besides Okta's own
paths: POST /bench/change?users=N gives the
first N users another surname (and one event each), POST /bench/empty takes every member out of every group, POST
/bench/stir says of every group that its members changed, which they did not, POST /bench/requests answers how often it
was asked.
"""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from bench import org
from bench.wire import Handler, Headers, Request, Response, serve

_APP_PATH = f"/api/v1/apps/{org.APP}"
_PAGE_MARK = "@" * 14
_KEPT = 250
"""Pages of users kept whole; beyond that they are made when asked for, which takes a millisecond."""


class Okta:
    def __init__(self, origin: str, size: org.Size, *, compressed: bool) -> None:
        self._origin, self._size, self._compressed = origin, size, compressed
        self._renamed = 0
        self._emptied = False
        self._stirred = 0
        self._surname = "Example"
        self._events: list[bytes] = []
        self._asked = 0
        records = [org.encoded(org.app_user(f"{_PAGE_MARK}{n:03d}")) for n in range(org.USER_PAGE)]
        self._template = b"[" + b",".join(records) + b"]"
        self._user_page = lru_cache(maxsize=_KEPT)(self._make_user_page)

    def __call__(self, request: Request) -> Response:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path
        if path.startswith("/bench/"):
            return self._bench(path, query)
        self._asked += 1
        if path == _APP_PATH:
            app = {"id": org.APP, "label": "Split", "status": "ACTIVE", "features": []}
            return self._ok(org.encoded(app))
        if path == f"{_APP_PATH}/users":
            page = self._list(request, query, self._user_page, org.USER_PAGE, self._size.users)
            packed = (("Content-Encoding", "gzip"),) if self._compressed else ()
            return replace(page, headers=(*page.headers, *packed))
        if path.startswith(f"{_APP_PATH}/users/"):
            return self._ok(org.encoded(self._user(org.user_number(path.rpartition("/")[2]))))
        if path == "/api/v1/groups":
            return self._list(request, query, self._group_page, org.GROUP_PAGE, self._size.groups)
        if path == "/api/v1/logs":
            return self._logs(query)
        return self._object(request, path.split("/")[3:], query)

    def _object(self, request: Request, parts: list[str], query: dict[str, str]) -> Response:
        match parts:
            case ["groups", group_id, "users"]:
                numbers = [] if self._emptied else org.members(self._size, org.group_number(group_id))

                def page(number: int) -> bytes:
                    some = numbers[number * org.MEMBER_PAGE : (number + 1) * org.MEMBER_PAGE]
                    return org.encoded([org.account(each) for each in some])

                return self._list(request, query, page, org.MEMBER_PAGE, len(numbers))
            case ["groups", group_id]:
                return self._ok(org.encoded(org.group(org.group_number(group_id), moved=self._moves)))
            case ["users", user_id, "groups"]:
                mine = [] if self._emptied else org.groups_of(self._size, org.user_number(user_id))
                return self._ok(org.encoded([org.group(number) for number in mine]))
        return Response(b"{}", 404)

    def _user(self, number: int) -> dict[str, object]:
        return org.app_user(org.key(number), surname=self._surname if number < self._renamed else "Example")

    def _make_user_page(self, number: int) -> bytes:
        page = self._plain_user_page(number)
        return gzip.compress(page) if self._compressed else page

    def _plain_user_page(self, number: int) -> bytes:
        first = number * org.USER_PAGE
        last = min(first + org.USER_PAGE, self._size.users)
        if last - first < org.USER_PAGE or first < self._renamed:
            return org.encoded([self._user(each) for each in range(first, last)])
        return self._template.replace(_PAGE_MARK.encode(), b"%014d" % number).replace(
            _PAGE_MARK[-6:].encode(), b"%06d" % number
        )

    def _group_page(self, number: int) -> bytes:
        first = number * org.GROUP_PAGE
        some = range(first, min(first + org.GROUP_PAGE, self._size.groups))
        return org.encoded([org.group(each, moved=self._moves) for each in some])

    @property
    def _moves(self) -> int:
        return self._stirred + self._emptied

    def _list(
        self, request: Request, query: dict[str, str], page: Callable[[int], bytes], size: int, total: int
    ) -> Response:
        number = int(query.get("after", "0"))
        links: Headers = ()
        if (number + 1) * size < total:
            base = request.path.partition("&after=")[0]
            links = (("Link", f'<{self._origin}{base}&after={number + 1}>; rel="next"'),)
        return self._ok(page(number), links)

    def _logs(self, query: dict[str, str]) -> Response:
        at = int(query.get("after", "0"))
        found = self._events[at : at + 1000]
        following = f'<{self._origin}/api/v1/logs?limit=1000&after={at + len(found)}>; rel="next"'
        return self._ok(b"[" + b",".join(found) + b"]", (("Link", following),))

    def _ok(self, body: bytes, headers: Headers = ()) -> Response:
        reset = (
            ("X-Rate-Limit-Limit", "1000000"),
            ("X-Rate-Limit-Remaining", "999999"),
            ("X-Rate-Limit-Reset", str(int(time.time()) + 60)),
        )
        return Response(body, 200, (*headers, *reset))

    def _bench(self, path: str, query: dict[str, str]) -> Response:
        if path == "/bench/empty":
            self._emptied = True
        if path == "/bench/stir":
            self._stirred += 1
        if path == "/bench/change":
            self._renamed = int(query["users"])
            self._surname = f"Changed{len(self._events)}"
            self._user_page.cache_clear()
            for number in range(self._renamed):
                target = {"type": "User", "id": org.user_id(number)}
                event = {
                    "uuid": f"e{len(self._events)}",
                    "eventType": "user.account.update_profile",
                    "target": [target],
                }
                self._events.append(org.encoded(event))
        return Response(org.encoded({"requests": self._asked}))


def _make(origin: str) -> Handler:
    users, groups, members, compressed = map(int, sys.argv[1:5])
    return Okta(origin, org.Size(users, groups, members), compressed=bool(compressed))


if __name__ == "__main__":
    serve(_make)
