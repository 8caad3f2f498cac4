"""What one settings file may hold: the tables, their keys, types and defaults (docs/configuration.md).

The models judge single values. What contradicts what is in contradictions.py, so that one bad value does not
hide the others. Values are read through load.py, which knows files, lines and the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from syncd.core.limits import Limit
from syncd.core.match_rules import DEFAULT_RULES, EMAILS, MatchRule, is_email
from syncd.core.rules import GroupSource, PushRule, SourceKind
from syncd.core.terms import UserAttribute
from syncd.settings.attributes import DEFAULT_ATTRIBUTES, AttributeMap
from syncd.settings.cron import CronValue, read_turns
from syncd.settings.daily import DailyTime, read_daily
from syncd.settings.matching import MatchRules
from syncd.settings.place import Placed
from syncd.settings.secrets import SecretRef
from syncd.settings.suggest import nearest
from syncd.settings.values import (
    BaseUrl,
    CaFile,
    DirectoryPath,
    Grace,
    GrowthLimitValue,
    HeaderName,
    HookListen,
    Interval,
    LimitValue,
    Listen,
    OrgUrl,
    PrivateKey,
    Proxy,
    Retention,
    SecretUrl,
    Text,
    Timeout,
    Token,
    address_of,
    kind_of,
    text,
    wrong,
)
from syncd.settings.windows import WindowValue

SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)
_FLAG_SOURCES = ("assigned", "okta_mappings")


class Table(BaseModel):
    """A TOML table: unknown keys are errors, nothing is converted, nothing changes, no input in messages."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, validate_default=False
    )


def _app_id(raw: object) -> str:
    value = text(raw)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise wrong(
            "is not an Okta app id; it stands in the address of the app in Okta's admin console and starts with 0oa"
        )
    return value


def _name(raw: object) -> str:
    value = text(raw)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value) or value.endswith(".db"):
        raise wrong(
            "is unfit for a file name: 1 to 64 letters, digits, -, _ and dots, starting with a letter or digit "
            "(unset, it is the settings file's own name)",
            '"split-prod"',
        )
    return value


def _day(raw: object) -> date:
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    quoted = isinstance(raw, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", raw)
    raise wrong(
        f"is {kind_of(raw)}, but a date is needed, without quotes", str(raw) if quoted else "2026-03-01"
    )


def _source(raw: object) -> GroupSource:
    example = '{ name = "Engineering" }'
    if isinstance(raw, str):
        raise wrong("is text, but must say what the text is: id, name, name_starts_with, ...", example)
    if not isinstance(raw, dict):
        raise wrong(f"is {kind_of(raw)}, but a table with exactly one key is needed", example)
    for key in raw:
        if key not in SOURCE_KINDS:
            meant = nearest(key, SOURCE_KINDS)
            known = f'did you mean "{meant}"?' if meant else f"known are {', '.join(SOURCE_KINDS)}"
            raise wrong(f"has an unknown key: {known}")
    if len(raw) != 1:
        found = "no key" if not raw else f"{len(raw)} keys ({', '.join(raw)})"
        raise wrong(
            f"has {found}, but needs exactly one; further groups go into a rule of their own", example
        )
    [(kind, value)] = raw.items()
    if kind in _FLAG_SOURCES:
        if value is not True:
            raise wrong(
                f"can only say {kind} = true; to turn it off, take the rule out", f"{{ {kind} = true }}"
            )
        return GroupSource(kind)
    try:
        value = text(value)
    except PydanticCustomError as error:
        raise wrong(f"has a {kind} that {error.message()}") from None
    if kind == "id" and not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise wrong("has an id that is no Okta group id (00g...); a name goes into name", example)
    return GroupSource(kind, value)


class PushGroupTable(Table):
    """`[[push_groups]]`, before it becomes a `PushRule`."""

    source: Annotated[InstanceOf[GroupSource], BeforeValidator(_source)]
    action: Literal["create", "link"] | None = None
    target: Text | None = None
    rename: bool = False
    on_removal: Literal["keep", "delete"] = "keep"


def _push_rule(raw: object, info: ValidationInfo) -> PushRule:
    if not isinstance(raw, dict):
        raise wrong(f"is {kind_of(raw)}, but a [[push_groups]] table is needed")
    table = PushGroupTable.model_validate(raw, context=info.context)
    return PushRule(table.source, table.action, table.target, table.rename, table.on_removal)


def _rules_list(raw: object) -> object:
    if isinstance(raw, dict):
        raise wrong("is one table; each rule has double brackets: [[push_groups]]")
    return raw


PushRuleValue = Annotated[
    InstanceOf[PushRule], BeforeValidator(_push_rule), PlainSerializer(lambda rule: rule.source.label)
]
AppId = Annotated[str, BeforeValidator(_app_id)]
ConnectionName = Annotated[str, BeforeValidator(_name)]
Day = Annotated[date, BeforeValidator(_day)]
Names = Annotated[tuple[Text, ...], Field(strict=False)]


class OktaSettings(Table):
    """`[okta]`: the org that is read. `ca_file` is absolute; `proxy` is read like a secret."""

    org_url: OrgUrl
    app_id: AppId
    auth: Literal["ssws", "private_key"] = "ssws"
    token: Token | None = None
    client_id: Text | None = None
    private_key: PrivateKey | None = None
    key_id: Text | None = None
    dpop: bool = False
    rate_limit_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    coexist: bool = False
    timeout: Timeout = timedelta(seconds=30)
    ca_file: CaFile | None = None
    proxy: Proxy | None = None


class SplitSettings(Table):
    """`[split]`: the target. `max_requests_per_second` 0 means no cap; `base_url` has no trailing slash."""

    base_url: BaseUrl
    token: Token
    token_created: Day | None = None
    flavor: Literal["split", "harness", "scim"] = "split"
    update_method: Literal["auto", "patch", "put"] = "auto"
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    max_requests_per_second: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 20
    member_batch: Annotated[int, Field(ge=1, le=1000)] = 100
    timeout: Timeout = timedelta(seconds=60)
    ca_file: CaFile | None = None
    proxy: Proxy | None = None

    @property
    def token_year_began(self) -> date | None:
        """The day from which the token's one year counts; None where it is not known, or tokens live as their makers
        chose (Harness).
        """
        return None if self.flavor == "harness" else self.token_created


class ProvisioningSettings(Table):
    """`[provisioning]`: what may be done at the target. The grace counts from leaving the app."""

    create_users: bool = True
    update_users: bool = True
    deactivate_users: bool = True
    push_groups: bool = True
    suspended_users: Literal["keep", "deactivate"] = "keep"
    deactivation_grace: Grace = timedelta(0)


class SafetySettings(Table):
    """`[safety]`: limits over 24 hours, and what is never touched."""

    max_deactivations: LimitValue = Limit(percent=10)
    max_group_deletions: LimitValue = Limit(number=0)
    max_member_removals: LimitValue = Limit(percent=20)
    max_member_removals_per_group: LimitValue = Limit(percent=50)
    max_creations: GrowthLimitValue = Limit(percent=50)
    max_updates: LimitValue = Limit(percent=30)
    max_identity_changes: LimitValue = Limit(percent=5)
    max_blanked: LimitValue = Limit(percent=5)
    max_member_additions_per_group: GrowthLimitValue = Limit(percent=200)
    max_protected_additions: GrowthLimitValue = Limit(number=3)
    canary: bool = True
    protected_users: Names = ()
    protected_groups: Names = ("Administrators",)


class MatchingSettings(Table):
    """`[matching]`: what makes an account at the target the one that is meant, in this order."""

    by: MatchRules = DEFAULT_RULES


class ScheduleSettings(Table):
    """`[schedule]`: how often `syncd run` does each kind of cycle, and when anything may be written at all."""

    delta: Interval = timedelta(seconds=30)
    full: Annotated[timedelta | CronValue, read_turns] = timedelta(hours=6)
    drift: Annotated[timedelta | CronValue, read_turns] = timedelta(hours=24)
    drift_repair: bool = False
    delta_with_hooks: Interval = timedelta(minutes=2)
    windows: Annotated[tuple[WindowValue, ...], Field(strict=False)] = ()


class ServerSettings(Table):
    """`[server]`: where `syncd run` answers; `listen` is "" when it does not."""

    listen: Listen = "127.0.0.1:9464"

    @property
    def address(self) -> tuple[str, int] | None:
        """Host (without brackets) and port to bind, None when the server is off."""
        return address_of(self.listen)


class HooksSettings(Table):
    """`[hooks]`: where `syncd run` hears Okta's event hooks; `listen` is "" when it does not."""

    listen: HookListen = ""
    header: HeaderName = "Authorization"
    secret: Token | None = None
    previous_secret: Token | None = None

    @property
    def come(self) -> bool:
        """Whether somebody listens for those of this connection's org."""
        return bool(self.listen)

    @property
    def address(self) -> tuple[str, int] | None:
        """As of `ServerSettings`."""
        return address_of(self.listen)


class NotifySettings(Table):
    """`[notify]`: Apprise URLs, each read like a secret because it may hold one; `daily`: when a summary is sent."""

    urls: Annotated[tuple[SecretUrl, ...], Field(strict=False)] = ()
    daily: Annotated[InstanceOf[DailyTime], BeforeValidator(read_daily), PlainSerializer(str)] | None = None


class AuditSettings(Table):
    """`[audit]`: how long runs and journal are kept."""

    keep: Retention = timedelta(days=400)


class ConnectionSettings(Placed, Table):
    """One settings file: one Okta app provisioned into one Split organisation.

    `state_dir` and `path` are absolute. Made by load.py only.
    """

    name: ConnectionName
    state_dir: DirectoryPath = Field(alias="state")
    okta: OktaSettings
    split: SplitSettings
    provisioning: ProvisioningSettings = ProvisioningSettings()
    attributes: AttributeMap = Field(default_factory=lambda: DEFAULT_ATTRIBUTES)
    matching: MatchingSettings = MatchingSettings()
    push_groups: Annotated[tuple[PushRuleValue, ...], Field(strict=False), BeforeValidator(_rules_list)] = ()
    safety: SafetySettings = SafetySettings()
    schedule: ScheduleSettings = ScheduleSettings()
    hooks: HooksSettings = HooksSettings()
    server: ServerSettings = ServerSettings()
    notify: NotifySettings = NotifySettings()
    audit: AuditSettings = AuditSettings()

    @property
    def mapped_as(self) -> dict[str, str]:
        """How each SCIM attribute is mapped, as text: equal texts are equal mappings."""
        return {path: str(mapping) for path, mapping in self.attributes.items()}

    @property
    def matched_by(self) -> list[str]:
        """`[matching] by` as it is written."""
        return [str(rule) for rule in self.matching.by]

    @property
    def match_rules(self) -> tuple[MatchRule, ...]:
        """`[matching] by`, each rule with the values that the mapping fills in, which tell nobody."""
        return tuple(
            replace(rule, never=self._filled_in(rule.attribute)) if rule.is_of_values else rule
            for rule in self.matching.by
        )

    def _filled_in(self, attribute: str) -> frozenset[str]:
        mapped = (
            each
            for path, each in self.attributes.items()
            if path == attribute or (attribute == EMAILS and is_email(path))
        )
        return frozenset().union(*(each.filled_in for each in mapped))

    @property
    def initial(self) -> frozenset[str]:
        """The attributes that are sent only when an account is made or first adopted."""
        return frozenset(path for path, mapping in self.attributes.items() if mapping.on_create)

    @property
    def reads_user_profiles(self) -> bool:
        """Whether something is mapped from the users' own profiles in Okta."""
        return any(
            isinstance(read, UserAttribute)
            for mapping in self.attributes.values()
            for read in mapping.expression.references
        )

    @property
    def store_path(self) -> Path:
        """The SQLite file of this connection: `<state>/<name>.db`."""
        return self.state_dir / f"{self.name}.db"

    def secrets(self) -> Iterator[tuple[str, SecretRef]]:
        """Every secret reference with the path of its setting ("okta.token", "notify.urls[0]")."""
        named = {
            "okta.token": self.okta.token,
            "okta.private_key": self.okta.private_key,
            "okta.proxy": self.okta.proxy,
            "split.token": self.split.token,
            "split.proxy": self.split.proxy,
            "hooks.secret": self.hooks.secret,
            "hooks.previous_secret": self.hooks.previous_secret,
        }
        yield from ((path, ref) for path, ref in named.items() if ref is not None)
        for number, ref in enumerate(self.notify.urls):
            yield f"notify.urls[{number}]", ref
