"""The control interface under `/_control/`: looking at a world and changing it while it is served.

    GET    /_control/state             the world as a fixture, and the knobs
    GET    /_control/requests          the request log; POST /_control/reset-requests empties it
    POST   /_control/act               {"act": "unassign", "user": "ada@example.com"}; a list does several
    GET    /_control/faults            the rules and how often each fired
    POST   /_control/faults            {"action": "status", "status": 503, "method": "GET", "path": "/logs"}
    DELETE /_control/faults            no more faults; what waits is let go
    GET    /_control/latches           what waits at which latch
    POST   /_control/release           {"latch": "page"} lets go what waits there; {} everything
    POST   /_control/knobs             {"patch_204": true}

It needs no token, answers JSON, and is not in the request log.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.ids import WorldError, perform

if TYPE_CHECKING:
    from syncd.simulators.hosting import Simulator


def answer(simulator: "Simulator", call: Call) -> Reply:
    """The answer to one control request; 400 with `error` for what cannot be done, 404 for no such thing."""
    what = (call.method, *call.segments[1:])
    try:
        match what:
            case ("GET", "state"):
                return Reply(payload=simulator.control_state())
            case ("GET", "requests"):
                return Reply(payload=[record.as_json() for record in simulator.requests])
            case ("POST", "reset-requests"):
                simulator.reset_requests()
                return Reply(payload={"requests": 0})
            case ("POST", "act"):
                return Reply(payload=_act(simulator, call.json()))
            case ("GET", "faults"):
                return Reply(payload=simulator.faults.as_json())
            case ("POST", "faults"):
                rules = call.json()
                for rule in rules if isinstance(rules, list) else [rules]:
                    simulator.faults.add(**rule)
                return Reply(payload=simulator.faults.as_json())
            case ("DELETE", "faults"):
                simulator.reset_faults()
                return Reply(payload=[])
            case ("GET", "latches"):
                return Reply(payload=[asdict(each) for each in simulator.latches.waiting()])
            case ("POST", "release"):
                return Reply(payload={"released": simulator.latches.release(**call.json())})
            case ("POST", "knobs"):
                return Reply(payload=simulator.set_knobs(**call.json()))
            case _:
                return Reply(404, payload={"error": f"no control request {call.method} {call.path}"})
    except (TypeError, ValueError) as error:
        return Reply(400, payload={"error": str(error)})


def _act(simulator: "Simulator", asked: Any) -> Any:
    if isinstance(asked, list):
        return [_act(simulator, one) for one in asked]
    if not isinstance(asked, dict) or "act" not in asked:
        raise WorldError('an act is an object such as {"act": "unassign", "user": "ada@example.com"}')
    arguments = {name: value for name, value in asked.items() if name != "act"}
    return {"result": perform(simulator.world, simulator.world.ACTS, asked["act"], arguments)}
