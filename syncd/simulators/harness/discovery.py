"""What Harness says of its SCIM server, the same to everybody."""

from typing import Any

from syncd.simulators.harness.wire import GROUP_SCHEMA, LIST_SCHEMA, USER_SCHEMA

_OFF = {"supported": False}
_CONFIG = {
    "documentationUri": "https://developer.harness.io/docs/platform/role-based-access-control/",
    "patch": {"supported": True},
    "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
    "filter": {"supported": True, "maxResults": 1000},
    "changePassword": _OFF,
    "sort": _OFF,
    "etag": _OFF,
    "scimAuthenticationSchemes": [
        {"type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": "An API key of Harness"}
    ],
}


def _list(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schemas": [LIST_SCHEMA],
        "totalResults": len(resources),
        "startIndex": 0,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


_KINDS = (("User", USER_SCHEMA), ("Group", GROUP_SCHEMA))
DOCUMENTS: dict[str, dict[str, Any]] = {
    "ServiceProviderConfig": _CONFIG,
    "ResourceTypes": _list(
        [
            {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "id": kind,
                "name": kind,
                "endpoint": f"/{kind}s",
                "schema": schema,
            }
            for kind, schema in _KINDS
        ]
    ),
    "Schemas": _list([{"id": schema, "name": kind, "description": kind} for kind, schema in _KINDS]),
}
