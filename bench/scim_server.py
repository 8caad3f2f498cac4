"""A SCIM server that keeps little and answers at once, or after a fixed latency.

`python -m bench.scim_server LATENCY_SECONDS`. POST /bench/reset empties it, POST /bench/fill?users=N puts N accounts
there whose userName is that of the organisation's users, POST /bench/requests answers how often it was asked, by kind,
and how late its answers really were.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from urllib.parse import parse_qs, unquote, urlsplit

from bench import org
from bench.wire import Handler, Request, Response, delays, serve

_BASE = "/scim/v2/"


class Scim:
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._empty()

    def _empty(self) -> None:
        self._users: list[bytes] = []
        self._groups: list[bytes] = []
        self._members: dict[str, set[str]] = {}
        self._asked: Counter[str] = Counter()
        delays.seconds, delays.answers = 0.0, 0

    def __call__(self, request: Request) -> Response:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/bench/"):
            return self._bench(parts.path, query)
        kind, _, scim_id = unquote(parts.path.removeprefix(_BASE)).partition("/")
        what = f"{request.method} {kind}{'?filter' if 'filter' in query else ''}"
        self._asked[what] += 1
        status, body = self._answer(request, kind, scim_id, query)
        return Response(body, status, delay=self._latency)

    def _answer(self, request: Request, kind: str, scim_id: str, query: dict[str, str]) -> tuple[int, bytes]:
        table = self._users if kind == "Users" else self._groups
        match request.method:
            case "POST":
                made = b'{"id":"%s%d",' % (kind[:1].lower().encode(), len(table)) + request.body[1:]
                table.append(made)
                return 201, made
            case "PATCH":
                if kind == "Groups":
                    self._patch_group(scim_id, request.body)
                    return 204, b""
                return 200, self._patch_user(int(scim_id[1:]), request.body)
            case "GET" if scim_id:
                return 200, self._one(table, kind, scim_id)
            case "GET" if kind in ("Users", "Groups"):
                return 200, _page(table, query)
        return 404, b'{"status":"404"}'

    def _one(self, table: list[bytes], kind: str, scim_id: str) -> bytes:
        found = table[int(scim_id[1:])]
        if kind == "Users":
            return found
        members = [{"value": each} for each in sorted(self._members.get(scim_id, ()))]
        return org.encoded({**json.loads(found), "members": members})

    def _patch_user(self, number: int, body: bytes) -> bytes:
        user = json.loads(self._users[number])
        for operation in json.loads(body)["Operations"]:
            value = operation["value"]
            user |= {operation["path"]: value} if "path" in operation else value
        self._users[number] = org.encoded(user)
        return self._users[number]

    def _patch_group(self, scim_id: str, body: bytes) -> None:
        members = self._members.setdefault(scim_id, set())
        for operation in json.loads(body)["Operations"]:
            if operation["op"].lower() == "add":
                members.update(each["value"] for each in operation["value"])

    def _bench(self, path: str, query: dict[str, str]) -> Response:
        if path == "/bench/reset":
            self._empty()
        if path == "/bench/fill":
            for number in range(int(query["users"])):
                self._users.append(org.encoded({"id": f"u{number}", **org.scim_user(number)}))
        return Response(
            org.encoded({"requests": dict(self._asked), "users": len(self._users), "latency": delays.mean})
        )


def _page(table: list[bytes], query: dict[str, str]) -> bytes:
    found = table
    if "filter" in query:
        value = query["filter"].rpartition(" eq ")[2].strip('"')
        found = [each for each in table if value.casefold().encode() in each.lower()]
    start, count = int(query.get("startIndex", "1")), int(query.get("count", "100"))
    some = found[start - 1 : start - 1 + count]
    head = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": len(found),
        "startIndex": start,
        "itemsPerPage": len(some),
    }
    return org.encoded(head)[:-1] + b',"Resources":[' + b",".join(some) + b"]}"


def _make(_origin: str) -> Handler:
    return Scim(float(sys.argv[1]))


if __name__ == "__main__":
    serve(_make)
