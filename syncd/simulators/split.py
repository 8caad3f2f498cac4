"""The Split simulator: an organisation's SCIM connector over HTTP on loopback."""

import secrets
import time
from dataclasses import asdict
from typing import Any

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.harness.knobs import HarnessKnobs
from syncd.simulators.harness.server import answer as harness_answer
from syncd.simulators.harness.server import error as harness_error
from syncd.simulators.harness.server import open_account
from syncd.simulators.hosting import Simulator
from syncd.simulators.scim_wire import BASE, MEDIA_TYPE, ScimError, Service
from syncd.simulators.split_entities import Json
from syncd.simulators.split_groups import group, groups
from syncd.simulators.split_knobs import SplitKnobs
from syncd.simulators.split_users import user, users
from syncd.simulators.split_world import SplitWorld

__all__ = ["HarnessKnobs", "SplitKnobs", "SplitSimulator"]

DEFAULT_TOKEN = "sim-split-token"
AT_HARNESS = ("seats", "latency_seconds", "requests_per_second")
"""The SplitKnobs that count at Harness too."""
_SCIM_TYPES = {409: "uniqueness"}


class SplitSimulator(Simulator):
    """Serves a SplitWorld under `base_url` (`<url>/scim/v2`).

    `token` is the access token; the world's acts regenerate or expire it. `flavor` (`split`, `harness`,
    `scim`) overrules the world's own. `knobs` say in which ways the server is peculiar. A world of the flavor
    `harness` is served as Harness serves it, there and under `/gateway/ng/api/scim/account/<any>`; `harness` are
    its knobs, and of the others only those of AT_HARNESS count.
    """

    world: SplitWorld
    kind = "split"

    def __init__(
        self,
        world: SplitWorld,
        *,
        port: int = 0,
        token: str = DEFAULT_TOKEN,
        flavor: str | None = None,
        knobs: SplitKnobs | None = None,
        harness: HarnessKnobs | None = None,
    ) -> None:
        super().__init__(port=port)
        self.world = world
        self.world.flavor = flavor or world.flavor
        self.knobs = knobs or SplitKnobs()
        self.harness = harness or HarnessKnobs()
        if self.world.flavor == "harness":
            open_account(world)
        if world.scim_enabled:
            world.regenerate_token(token)
        self._second = (0, 0)

    @property
    def base_url(self) -> str:
        """The "SCIM connector base URL"."""
        return f"{self.url}{BASE}"

    @property
    def token(self) -> str:
        """The access token that is valid now."""
        return self.world.token

    def answer(self, call: Call) -> Reply:
        """The switch, the token, then the resource."""
        knobs = self.knobs
        limited = self._limited()
        if limited is not None:
            return limited
        if self.world.flavor == "harness":
            with self.world.lock:
                return harness_answer(self.world, self.harness, knobs.seats, call)
        try:
            with self.world.lock:
                self._admit(call)
                return self._served(Service(self.world, knobs, call))
        except ScimError as error:
            if error.status == 401 and knobs.text_401:
                return Reply(401, text="Unauthorized", content_type="text/plain")
            return error.reply(knobs)

    def _admit(self, call: Call) -> None:
        if not self.world.scim_enabled:
            raise ScimError(self.knobs.disabled_status, "SCIM is not enabled for this organization")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        expires = self.world.token_expires
        known = bool(token) and secrets.compare_digest(token.encode(), self.world.token.encode())
        if scheme != "Bearer" or not known:
            raise ScimError(401, "The access token is missing or not valid")
        if expires is not None and self.world.clock() >= expires:
            raise ScimError(401, "The access token has expired")

    def _served(self, service: Service) -> Reply:
        if service.call.segments[:2] != ("scim", "v2"):
            raise ScimError(404, "The connector lives under /scim/v2")
        match service.call.segments[2:]:
            case ("Users",):
                return users(service)
            case ("Users", identity) if identity:
                return user(service, identity)
            case ("Groups",):
                return groups(service)
            case ("Groups", identity) if identity:
                return group(service, identity)
            case (name,) if name in ("ServiceProviderConfig", "ResourceTypes") and self.knobs.discovery:
                if service.call.method != "GET":
                    raise ScimError(405, f"{name} is read-only")
                return Reply(payload=_discovery(service, name), content_type=MEDIA_TYPE)
            case _:
                raise ScimError(404, f"No endpoint {service.call.path}")

    def _limited(self) -> Reply | None:
        limit = self.knobs.requests_per_second
        if not limit:
            return None
        second = int(time.monotonic())
        used = self._second[1] + 1 if self._second[0] == second else 1
        self._second = (second, used)
        if used <= limit:
            return None
        reset = (("X-RateLimit-Reset-Seconds-Org", "1"), ("X-RateLimit-Reset-Seconds-IP", "0"))
        return self.error(429, None, None).with_headers(*reset)

    def error(self, status: int, code: str | None, summary: str | None) -> Reply:
        """A SCIM error body; `code` is its scimType. At Harness: of one of its two families, and its code."""
        if self.world.flavor == "harness":
            return harness_error(status, code, summary)
        default = _SCIM_TYPES.get(status) if self.knobs.conflict_scim_type else None
        return ScimError(status, summary or f"Simulated failure {status}", code or default).reply(self.knobs)

    def slow_start(self) -> float:
        """The latency knob."""
        return self.knobs.latency_seconds

    def set_knobs(self, **knobs: Any) -> dict[str, Any]:
        """Turns SplitKnobs while running, and HarnessKnobs where the flavor is `harness`."""
        if self.world.flavor != "harness":
            self.knobs = self.knobs.changed(**knobs)
            return self._knobs()
        shared = {name: knobs.pop(name) for name in AT_HARNESS if name in knobs}
        self.harness = self.harness.changed(**knobs)
        self.knobs = self.knobs.changed(**shared)
        return self._knobs()

    def _knobs(self) -> dict[str, Any]:
        if self.world.flavor != "harness":
            return asdict(self.knobs)
        return {**asdict(self.harness), **{name: getattr(self.knobs, name) for name in AT_HARNESS}}

    def control_state(self) -> dict[str, Any]:
        """The organisation and the knobs."""
        return {"world": self.world.to_fixture(), "knobs": self._knobs()}


def _discovery(service: Service, name: str) -> Json:
    if name == "ResourceTypes":
        kinds = [
            {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "id": kind,
                "name": kind,
                "endpoint": f"/{kind}s",
                "schema": f"urn:ietf:params:scim:schemas:core:2.0:{kind}",
            }
            for kind in ("User", "Group")
        ]
        return {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": len(kinds),
            "startIndex": 1,
            "itemsPerPage": len(kinds),
            "Resources": kinds,
        }
    knobs = service.knobs
    truthful = not knobs.discovery_lies
    config: Json = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": knobs.patch_users and knobs.patch_groups and truthful},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": truthful, "maxResults": knobs.max_count or 1000},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": knobs.etag},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth Bearer Token",
                "description": "The access token of the SCIM settings",
                "primary": True,
            }
        ],
    }
    if knobs.cursor_paging:
        config["pagination"] = {"cursor": True, "index": True, "defaultPaginationMethod": "index"}
    return config
