"""The Okta simulator: an org's Management API over HTTP on loopback."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from email.utils import formatdate
from typing import Any

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.hosting import Simulator
from syncd.simulators.okta_auth import READ_SCOPES, Gate, ServiceClient
from syncd.simulators.okta_endpoints import Endpoint, endpoint_for, no_endpoint
from syncd.simulators.okta_hooks import EventHooks
from syncd.simulators.okta_limits import RateLimits
from syncd.simulators.okta_past import with_group_of, with_stamps_of
from syncd.simulators.okta_state import OktaState
from syncd.simulators.okta_wire import OktaError, OktaKnobs
from syncd.simulators.okta_world import OktaWorld

__all__ = ["OktaKnobs", "OktaSimulator", "ServiceClient"]

DEFAULT_TOKEN = "00sim-okta-token"


class OktaSimulator(Simulator):
    """Serves an OktaWorld. Reads only: every write answers 405, so a client that writes is seen.

    `token` is the API token (SSWS); `clients` are service apps for private-key JWT, with or without DPoP.
    `url` is the org URL, `world.app.id` the app; `hooks` are the org's event hooks.
    """

    world: OktaWorld
    kind = "okta"

    def __init__(
        self,
        world: OktaWorld,
        *,
        port: int = 0,
        token: str = DEFAULT_TOKEN,
        clients: Iterable[ServiceClient] = (),
        knobs: OktaKnobs | None = None,
    ) -> None:
        super().__init__(port=port)
        self.world = world
        self.knobs = knobs or OktaKnobs()
        self.gate = Gate(token, clients)
        self.limits = RateLimits(self._now)
        self.hooks = EventHooks(lambda: self.url, world.log)
        world.heard = self.hooks.heard
        self._keep_past()

    @property
    def token(self) -> str:
        """The API token."""
        return self.gate.token

    def _now(self) -> float:
        return time.time() + self.knobs.clock_offset_seconds

    def answer(self, call: Call) -> Reply:
        """Rate limits, then authentication, then the endpoint."""
        knobs = self.knobs
        headers: tuple[tuple[str, str], ...] = ()
        try:
            headers = self.limits.count(call, knobs)
            reply = self._served(call, knobs)
        except OktaError as error:
            reply = error.reply()
        shown = {name.lower() for name, _ in reply.headers}
        reply = reply.with_headers(*(header for header in headers if header[0].lower() not in shown))
        if knobs.clock_offset_seconds:
            reply = reply.with_headers(("Date", formatdate(self._now(), usegmt=True)))
        return reply.with_headers(("X-Okta-Request-Id", f"Wij-{time.monotonic_ns():x}"))

    def _served(self, call: Call, knobs: OktaKnobs) -> Reply:
        if call.segments == ("oauth2", "v1", "token"):
            if call.method != "POST":
                raise no_endpoint("POST")
            return self.gate.token_reply(call, knobs)
        if call.segments == (".well-known", "okta-organization") and call.method == "GET":
            return self._organization(knobs)
        endpoint = endpoint_for(call.segments)
        self.gate.admit(call, endpoint.scopes if endpoint else (), knobs)
        if endpoint is None or call.method != "GET":
            raise no_endpoint(call.method)
        with self.world.lock:
            seen = self._listed_world(endpoint, call, knobs)
            reply = endpoint.handler(seen, call, knobs)
            if not knobs.stamp_lag_seconds:
                return reply
            older = max(knobs.stamp_lag_seconds, knobs.lag_of(endpoint.listed))
            return with_stamps_of(self.world.past.ago(self.world, older), reply)

    def _organization(self, knobs: OktaKnobs) -> Reply:
        """GET /.well-known/okta-organization, for anybody."""
        addresses = {"organization": self.url} if knobs.addresses is None else knobs.addresses
        links = {relation: {"href": href} for relation, href in addresses.items()}
        return Reply(200, {"id": "00o0000000000000g4", "pipeline": "idx", "_links": links})

    def _listed_world(self, endpoint: Endpoint, call: Call, knobs: OktaKnobs) -> OktaState:
        """The world of that list: as it was, but for whose list it is, which is looked up as it is."""
        seen = self.world.past.ago(self.world, knobs.lag_of(endpoint.listed))
        if endpoint.of_object and knobs.object_lag_seconds:
            return self.world.past.ago(self.world, knobs.object_lag_seconds)
        if endpoint.listed == "members":
            return with_group_of(self.world, seen, call.segments[3])
        return seen

    def overloaded(self, running: int) -> Reply | None:
        """429 with zeros when more requests run at once than the org takes."""
        if self.knobs.concurrency and running > self.knobs.concurrency:
            return self.limits.concurrency_error().reply()
        return None

    def error(self, status: int, code: str | None, summary: str | None) -> Reply:
        """An Okta error body; 503 comes without rate-limit headers, as Okta's read-only mode does."""
        return OktaError(status, code, summary).reply()

    def compress(self) -> bool:
        """Okta compresses for clients that accept gzip."""
        return self.knobs.gzip

    def slow_start(self) -> float:
        """The latency knob."""
        return self.knobs.latency_seconds

    def set_knobs(self, **knobs: Any) -> dict[str, Any]:
        """Turns OktaKnobs while running; counters of rate limits start afresh."""
        if isinstance(knobs.get("ssws_scopes"), list):
            knobs["ssws_scopes"] = tuple(knobs["ssws_scopes"])
        self.knobs = self.knobs.changed(**knobs)
        self.limits.reset()
        self._keep_past()
        return _knobs_json(self.knobs)

    def _keep_past(self) -> None:
        with self.world.lock:
            self.world.past.keep(self.world, self.knobs.longest_lag)

    def control_state(self) -> dict[str, Any]:
        """The world, the knobs, and the size of the log."""
        return {
            "world": self.world.to_fixture(),
            "knobs": _knobs_json(self.knobs),
            "events": len(self.world.events),
        }

    def extra_control(self, call: Call) -> Reply | None:
        """POST /_control/clients registers a service app; POST /_control/revoke ends every access token;
        /_control/hooks shows, adds and verifies event hooks, or turns their knobs.
        """
        if call.segments[1:2] == ("hooks",):
            return self._hook_control(call)
        if (call.method, call.segments[1:]) == ("POST", ("clients",)):
            try:
                asked = call.json()
                scopes = tuple(asked.pop("scopes", READ_SCOPES))
                self.gate.register(ServiceClient(scopes=scopes, **asked))
            except (TypeError, ValueError) as error:
                return Reply(400, {"error": str(error)})
            return Reply(payload={"registered": True})
        if (call.method, call.segments[1:]) == ("POST", ("revoke",)):
            self.gate.revoke()
            return Reply(payload={"revoked": True})
        return None

    def _hook_control(self, call: Call) -> Reply:
        try:
            match (call.method, *call.segments[2:]):
                case ("POST",):
                    hook = self.hooks.register(**call.json())
                    self.hooks.verify(hook)
                case ("POST", "knobs"):
                    self.hooks.knobs = self.hooks.knobs.changed(**call.json())
                    return Reply(payload=asdict(self.hooks.knobs))
                case ("GET",):
                    pass
                case _:
                    return Reply(404, {"error": f"no control request {call.method} {call.path}"})
        except (TypeError, ValueError) as error:
            return Reply(400, {"error": str(error)})
        return Reply(payload=[each.as_json() for each in self.hooks.hooks])

    def stop(self) -> None:
        """Delivers no hook any more, and stops listening."""
        self.hooks.close()
        super().stop()


def _knobs_json(knobs: OktaKnobs) -> dict[str, Any]:
    return asdict(knobs)
