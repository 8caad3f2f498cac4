"""Fingerprints of settings: what a plan and the store compare to know whether they still mean the same world."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from syncd.settings.schema import ConnectionSettings


def _digest(document: object) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def scope_fingerprint(settings: ConnectionSettings) -> str:
    """SHA-256 (64 hex digits) over the scope settings: app, target, flavor, provisioning, attributes, push groups.

    Everything else (tokens, concurrency, limits, schedule) may change without changing who is in scope.
    """
    provisioning = settings.provisioning
    return _digest(
        {
            "org_url": settings.okta.org_url,
            "app_id": settings.okta.app_id,
            "base_url": settings.split.base_url,
            "flavor": settings.split.flavor,
            "provisioning": {
                "create_users": provisioning.create_users,
                "update_users": provisioning.update_users,
                "deactivate_users": provisioning.deactivate_users,
                "push_groups": provisioning.push_groups,
                "suspended_users": provisioning.suspended_users,
                "deactivation_grace": int(provisioning.deactivation_grace.total_seconds()),
            },
            "attributes": settings.mapped_as,
            "push_groups": [asdict(rule) for rule in settings.push_groups],
        }
    )


def target_fingerprint(settings: ConnectionSettings) -> str:
    """SHA-256 (64 hex digits) over what identifies the target: base URL and flavor."""
    return _digest({"base_url": settings.split.base_url, "flavor": settings.split.flavor})
