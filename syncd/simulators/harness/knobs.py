"""What is not the same everywhere at Harness, or not known: settings of the simulator's harness mode."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from syncd.simulators.turning import refuse_unknown

Generation = Literal["2026", "2023"]
Deactivation = Literal["removed", "disabled"]
RemovalShows = Literal["nothing", "null", "person"]
AdoptionCompares = Literal["display_name", "all_names"]
LastAdminDelete = Literal["refused", "swallowed"]
ArrayFails = Literal["any_path", "active", "never"]
DeltaOrder = Literal["adds_first", "removals_first"]
Right = Literal["user_view", "user_manage", "user_invite", "group_view", "group_manage"]
Operation = Literal["member_patch", "group_rename", "group_put", "user_patch", "user_put"]

_CHOICES: dict[str, tuple[Any, ...]] = {
    "generation": get_args(Generation),
    "deactivation": get_args(Deactivation),
    "put_removal_shows": get_args(RemovalShows),
    "adoption_compares": get_args(AdoptionCompares),
    "last_admin_delete": get_args(LastAdminDelete),
    "delta_order": get_args(DeltaOrder),
    "delete_unknown_user_status": (400, 401),
    "array_fails": get_args(ArrayFails),
}
_SEVERAL: dict[str, tuple[str, ...]] = {"missing_rights": get_args(Right), "swallowed": get_args(Operation)}


@dataclass(frozen=True, slots=True)
class HarnessKnobs:
    """Every default is the newest server that its public source shows, and a token that may do everything.

    `generation`: `2026`, or `2023`, where a taken identifier is a 409, no name gets a hash and replacing members
    does nothing. Feature flags: `new_scim_standards` (names by id, meta, a user's groups), `user_deletion_v2` (2023
    only; off, `deactivation` says what an inactive user is), `put_removal_shows` (2023: what a PUT that removed
    answers).
    `page_length_totals` off: totalResults is the true total. `count_zero_is_all` off: `count=0` is an empty page.
    `swallowed`: operations that answer as if they had worked, and do nothing.
    `group_removal_lag_seconds`: so much later groups forget who was removed, and a membership given back meanwhile
    is taken away then; -1: when the act `deliver_events` says so.
    `missing_rights` of the token: 403, and 409 for `user_invite`. `gateway_authenticates`: no header is a 401.
    `role_setup_seconds` of every POST of a new person; with `role_setup_fails` it is a 409 then, though the account
    exists.
    Of what only one version of the source says, or none: `adoption_compares` (of whom a POST adopts, what has to
    differ for anything to be written), `adoption_imports` (whoever is adopted is listed from then on),
    `active_enables` (a POST, or a PUT with `active: true`, ends a disablement), `patch_imports` (whom a PATCH changed
    is listed from then on), `empty_patch_removes` (a PATCH of `{}`), `array_fails` (which replacing by an array is a
    500) and `array_keeps_rest` (the other operations of that PATCH took effect), `last_admin_kept` (the last account
    admin is not removed), `last_admin_delete`, `delete_unknown_user_status`, `delta_order` (somebody added and removed
    by one PATCH).
    """

    generation: Generation = "2026"
    new_scim_standards: bool = False
    user_deletion_v2: bool = True
    deactivation: Deactivation = "removed"
    put_removal_shows: RemovalShows = "nothing"
    page_length_totals: bool = True
    count_zero_is_all: bool = True
    swallowed: tuple[Operation, ...] = ()
    group_removal_lag_seconds: float = 0.0
    missing_rights: tuple[Right, ...] = ()
    gateway_authenticates: bool = False
    role_setup_seconds: float = 0.0
    role_setup_fails: bool = False
    adoption_compares: AdoptionCompares = "display_name"
    adoption_imports: bool = False
    active_enables: bool = True
    patch_imports: bool = False
    empty_patch_removes: bool = True
    array_fails: ArrayFails = "any_path"
    array_keeps_rest: bool = True
    last_admin_kept: bool = True
    last_admin_delete: LastAdminDelete = "refused"
    delete_unknown_user_status: int = 400
    delta_order: DeltaOrder = "adds_first"

    def changed(self, **changes: Any) -> Self:
        """These knobs with some turned. Raises ValueError for a knob or a position that does not exist."""
        refuse_unknown(self, changes)
        for name, value in changes.items():
            if value not in _CHOICES.get(name, (value,)):
                raise ValueError(f"{name} is one of {_CHOICES[name]}")
        for name, known in _SEVERAL.items():
            if name in changes:
                changes[name] = tuple(changes[name])
                if not set(changes[name]) <= set(known):
                    raise ValueError(f"{name} are some of {known}")
        return replace(self, **changes)

    @property
    def newest(self) -> bool:
        """Whether this is the newest generation."""
        return self.generation == "2026"

    @property
    def removes_inactive(self) -> bool:
        """Whether an inactive person is removed from the account."""
        return self.newest or self.user_deletion_v2 or self.deactivation == "removed"
