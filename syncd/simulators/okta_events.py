"""System Log events as a world keeps them."""

from dataclasses import dataclass
from typing import Any

_MESSAGES = {
    "application.user_membership.add": "Add user to application membership",
    "application.user_membership.remove": "Remove user's application membership",
    "application.user_membership.update": "Update user application membership",
    "application.user_membership.change_username": "Change user's application username",
    "group.user_membership.add": "Add user to group membership",
    "group.user_membership.remove": "Remove user from group membership",
    "group.application_assignment.add": "Add assigned application to group",
    "group.application_assignment.remove": "Remove assigned application from group",
    "group.profile.update": "Okta group profile update",
    "group.lifecycle.create": "Create Okta group",
    "group.lifecycle.delete": "Delete Okta group",
    "user.lifecycle.create": "Create Okta user",
    "user.account.update_profile": "Update user profile for Okta",
}


def display_message(event_type: str) -> str:
    """What the System Log shows to people for an event type."""
    return _MESSAGES.get(event_type, event_type.replace(".", " ").replace("_", " ").capitalize())


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event (`body`, the LogEvent object) and the stamp at which the log got to know it."""

    persisted: str
    body: dict[str, Any]
