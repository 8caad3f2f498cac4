"""Rules of the product: reserved groups and names ("SCIM for Okta in Split")."""

from syncd.simulators.scim_wire import ScimError, Service
from syncd.simulators.split_habits import text_kept
from syncd.simulators.split_store import SplitStore


def keep_an_administrator(world: SplitStore, *, leaving: str) -> None:
    """Refuses to take away or deactivate the last active member of a reserved group. Raises ScimError 400."""
    for name in world.reserved:
        for identity in world.groups_by_name.find(name):
            group = world.groups[identity]
            if leaving in group.members and not _active(world, [m for m in group.members if m != leaving]):
                raise ScimError(400, f"The group {name} must have at least one member", "invalidValue")


def keep_members(world: SplitStore, name: str, before: list[str], after: list[str]) -> None:
    """Refuses to leave a reserved group without an active member. Raises ScimError 400."""
    if name in world.reserved and _active(world, before) and not _active(world, after):
        raise ScimError(400, f"The group {name} must have at least one member", "invalidValue")


def check_group_name(service: Service, name: object, *, own: str | None = None) -> str:
    """The name, if a group may be called that. Raises ScimError 400 or, where it is taken, 409."""
    if not isinstance(name, str) or not name.strip():
        raise ScimError(400, "displayName is required", "invalidValue")
    world, knobs = service.world, service.knobs
    name = text_kept(name, knobs)
    if world.flavor == "split" and knobs.name_limit and len(name) >= knobs.name_limit:
        raise ScimError(400, f"Group name must be less than {knobs.name_limit} characters", "invalidValue")
    taken = [i for i in world.groups_by_name.find(name) if i != own]
    if taken and knobs.duplicates == "refuse":
        kind = "uniqueness" if knobs.conflict_scim_type else None
        raise ScimError(knobs.conflict_status, f"Group {name} already exists", kind)
    if name in world.reserved:
        raise ScimError(400, f"{name} is a reserved group name", "invalidValue")
    return name


def _active(world: SplitStore, members: list[str]) -> bool:
    return any(member in world.users and world.users[member].active for member in members)
