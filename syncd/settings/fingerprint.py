"""Fingerprints of settings: what a plan and the store compare to know whether they still mean the same world."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from syncd.core.match_rules import DEFAULT_RULES
from syncd.settings.schema import ConnectionSettings

_DEFAULT_MATCHING = [str(rule) for rule in DEFAULT_RULES]
"""Left out, as it was before there was anything to say about it: an update of syncd is no change of settings."""


def _digest(document: object) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def scope_fingerprint(settings: ConnectionSettings) -> str:
    """SHA-256 (64 hex digits) over the scope settings: app, target, flavor, provisioning, attributes, matching, push
    groups.

    Everything else (tokens, concurrency, limits, schedule) may change without changing who is in scope.
    """
    provisioning, by = settings.provisioning, settings.matched_by
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
            **({} if by == _DEFAULT_MATCHING else {"matching": by}),
            "push_groups": [asdict(rule) for rule in settings.push_groups],
        }
    )


def target_fingerprint(settings: ConnectionSettings) -> str:
    """SHA-256 (64 hex digits) over what identifies the target: base URL and flavor."""
    return _digest({"base_url": settings.split.base_url, "flavor": settings.split.flavor})
