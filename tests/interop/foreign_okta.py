"""An Okta made by somebody else: legal answers, other habits than our own simulator's. Shares nothing with it.

Small pages whatever was asked, one joined Link header with `next` first, encoded cursors, no embedded user unless it
feels like it, no rate-limit headers or tiny buckets that really refuse, unknown fields everywhere.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.serving import Serving

Json = dict[str, Any]


@dataclass
class ForeignOkta:
    token: str = "foreign-okta-token"
    app_id: str = "0oaFOREIGN"
    page: int = 3
    embed: bool = False
    bucket: int = 0
    """Requests in a window of two seconds before a 429; 0: no limit and no headers."""
    status_404: str = "AppUser"
    stamps: bool = True
    confused: dict[str, Any] = field(default_factory=dict)
    """What an app user looks like when asked for by id: fields in place of the right ones."""
    assigned: dict[str, Json] = field(default_factory=dict)
    """Okta user id to app profile."""
    user_status: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    """Group id to name and member ids."""
    requests: list[str] = field(default_factory=list)
    refused: int = 0
    url: str = ""
    window: tuple[int, int] = (0, 0)

    def app_user(self, user_id: str) -> Json:
        record: Json = {
            "id": user_id,
            "status": "ACTIVE",
            "scope": "USER",
            "syncState": "BRAND_NEW_STATE",
            "surprise": {"nested": [1, 2]},
            "credentials": {"userName": self.assigned[user_id]["email"]},
            "profile": self.assigned[user_id],
        }
        if self.embed:
            record["_embedded"] = {"user": {"id": user_id, "status": self.user_status.get(user_id, "ACTIVE")}}
        return record

    def group(self, group_id: str) -> Json:
        record: Json = {
            "id": group_id,
            "type": "OKTA_GROUP",
            "profile": {"name": self.groups[group_id][0]},
            "extra": None,
        }
        if self.stamps:
            record["lastMembershipUpdated"] = "2024-01-01T00:00:00Z"
        return record

    def answer(self, path: str) -> Any:
        """The whole list, or one object; an exception carries a 404 summary."""
        match path.strip("/").split("/")[2:]:
            case ["apps", self.app_id]:
                return {
                    "id": self.app_id,
                    "label": "Split",
                    "status": "ACTIVE",
                    "features": ["SOMETHING_NEW"],
                }
            case ["apps", self.app_id, "users"]:
                return [self.app_user(user_id) for user_id in sorted(self.assigned)]
            case ["apps", self.app_id, "users", user_id] if user_id in self.assigned:
                return {**self.app_user(user_id), **self.confused}
            case ["apps", self.app_id, "users", user_id]:
                raise LookupError(f"Not found: Resource not found: {user_id} ({self.status_404})")
            case ["apps", self.app_id, "groups"]:
                return [{"id": group_id} for group_id in sorted(self.groups)]
            case ["groups"]:
                everyone = {"id": "00gALL", "type": "BUILT_IN", "profile": {"name": "Everyone"}}
                return [everyone, *(self.group(group_id) for group_id in sorted(self.groups))]
            case ["groups", group_id] if group_id in self.groups:
                return self.group(group_id)
            case ["groups", group_id, "users"] if group_id in self.groups:
                return [{"id": user_id, "status": "ACTIVE"} for user_id in sorted(self.groups[group_id][1])]
            case ["users", user_id, "groups"]:
                return [
                    self.group(gid) for gid, (_, members) in sorted(self.groups.items()) if user_id in members
                ]
            case ["users", user_id]:
                return {"id": user_id, "status": self.user_status.get(user_id, "ACTIVE"), "profile": {}}
        raise LookupError(f"Not found: Resource not found: {path} (UserGroup)")

    def limited(self) -> bool:
        if not self.bucket:
            return False
        now = int(time.time()) // 2
        start, used = self.window
        self.window = (now, used + 1 if start == now else 1)
        return self.window[1] > self.bucket


def _handler(okta: ForeignOkta) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                self._answer()

        def _answer(self) -> None:
            split = urlsplit(self.path)
            okta.requests.append(self.path)
            if self.headers.get("Authorization") != f"SSWS {okta.token}":
                return self._send(401, {"errorCode": "E0000011", "errorSummary": "Invalid token provided"})
            if okta.limited():
                okta.refused += 1
                return self._send(429, {"errorCode": "E0000047", "errorSummary": "too many"})
            try:
                found = okta.answer(split.path)
            except LookupError as problem:
                return self._send(404, {"errorCode": "E0000007", "errorSummary": str(problem)})
            if not isinstance(found, list):
                return self._send(200, found)
            after = parse_qs(split.query).get("after", [""])[0]
            start = int(base64.b64decode(after).decode().split("+")[1]) if after else 0
            page = found[start : start + okta.page]
            here = f"{okta.url}{self.path}".replace(",", "%2C")
            links = f'<{here}>; rel="self"'
            if start + okta.page < len(found):
                cursor = base64.b64encode(f"c+{start + okta.page}+/é,".encode()).decode()
                links = f'<{okta.url}{split.path}?x=%2C&after={quote(cursor, safe="")}&limit=7>; rel="next", {links}'
            return self._send(200, page, links)

        def _send(self, status: int, body: Any, links: str = "") -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            if links:
                self.send_header("Link", links)
            if okta.bucket:
                start, used = okta.window
                self.send_header("X-Rate-Limit-Limit", str(okta.bucket))
                self.send_header("X-Rate-Limit-Remaining", str(max(0, okta.bucket - used)))
                self.send_header("X-Rate-Limit-Reset", str((start + 1) * 2))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serving(okta: ForeignOkta) -> Iterator[ForeignOkta]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(okta))
    okta.url = f"http://127.0.0.1:{server.server_address[1]}"
    with Serving(server):
        yield okta
