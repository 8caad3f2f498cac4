"""The probes of the Okta side: one cheap read for each thing that a sync will need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Protocol

from syncd.answers.check.line import Checks
from syncd.answers.check.profiles import PROFILES, check_profiles
from syncd.core.counting import counted
from syncd.core.flavors import group_name_problem, is_taken_over
from syncd.core.rules import PushRule
from syncd.errors import AccessDenied, ConnectionSick, SyncdError, TemporaryError
from syncd.model import Absent, Application, AppUser, OktaGroup
from syncd.ports import Bucket, Source
from syncd.settings.schema import ConnectionSettings

REACHABLE = "Okta reachable"
TOKEN = "Okta token"  # noqa: S105  (the name of a line)
APP = "Okta app"
APPS = "scope okta.apps.read"
USERS = "scope okta.users.read"
GROUPS = "scope okta.groups.read"
LOGS = "scope okta.logs.read"
LIMITS = "Okta rate limits"
WRITERS = "one writer"
RULES = "push rules"
NEEDED = ("okta.apps.read", "okta.users.read", "okta.groups.read", "okta.logs.read")

_AFTER = (TOKEN, APP, APPS, PROFILES, USERS, GROUPS, LOGS, LIMITS, WRITERS, RULES)
_ROLE = "Grant the scope to the service app (Okta API Scopes) and give it a read-only admin role, or use such a token."


class OktaProbe(Source, Protocol):
    """A Source that also tells about the conversation itself."""

    def limits(self) -> Mapping[str, Bucket]:
        """By bucket, as the last answers showed them."""
        ...

    def clock_offset(self) -> timedelta | None:
        """Okta's clock minus ours, None before the first answer."""
        ...

    def granted_scopes(self) -> frozenset[str] | None:
        """None with an API token."""
        ...

    def read_log_once(self) -> None:
        """One page of the System Log. Raises as every other read."""
        ...


@dataclass
class OktaChecks:
    """What the probes found; `offset` is Okta's clock minus ours."""

    checks: Checks
    settings: ConnectionSettings
    offset: timedelta | None = None
    people: Sequence[AppUser] = ()
    """One page of the assigned."""
    _says_it_is_okta: bool = True

    def run(self, open_source: Callable[[], AbstractContextManager[OktaProbe]]) -> None:
        """Asks Okta everything that a cycle would; raises nothing that Okta answers."""
        try:
            with open_source() as source:
                self._probe(source)
        except SyncdError as error:
            # Only opening gets here: a key that is none, a CA file, a proxy.
            self.checks.failed(TOKEN, error)
            self._skip_rest("nothing can be asked without credentials", but=TOKEN)

    def _probe(self, source: OktaProbe) -> None:
        app: Application | None = None
        try:
            app = source.application()
        except AccessDenied as error:
            self.checks.ok(REACHABLE, self._place)
            self.offset = source.clock_offset()
            self._says_it_is_okta = bool(source.limits())
            self._denied(error)
            return
        except ConnectionSick as error:
            self.checks.ok(REACHABLE, self._place)
            self.checks.ok(TOKEN, "accepted")
            self.checks.failed(APP, error)
        except SyncdError as error:
            hint = error.hint or "Check okta.org_url, the network and the proxy of this machine."
            self.checks.fail(REACHABLE, error.message, hint)
            self._skip_rest("Okta does not answer")
            return
        else:
            self.checks.ok(REACHABLE, self._place)
            self.checks.ok(TOKEN, "accepted")
            self._app(app)
        self.offset = source.clock_offset()
        self._scopes(source, app)
        self._limits(source)
        self._writers(app)
        self._rules(source)

    @property
    def _place(self) -> str:
        return self.settings.okta.org_url

    def _denied(self, error: AccessDenied) -> None:
        if error.status == 403:
            self.checks.ok(TOKEN, "accepted")
            self.checks.fail(APPS, error.message, error.hint or _ROLE)
            self._skip_rest("the app cannot be read", but=(TOKEN, APPS))
        else:
            if self._says_it_is_okta:
                self.checks.failed(TOKEN, error)
            else:
                foreign = (
                    f"Is {self._place} an Okta org at all? Its answers carry none of Okta's rate limits."
                )
                self.checks.fail(TOKEN, error.message, f"{foreign} If it is: {error.hint}")
            self._skip_rest("Okta refuses the token", but=TOKEN)

    def _skip_rest(self, because: str, but: str | tuple[str, ...] = ()) -> None:
        for name in _AFTER:
            if name not in ((but,) if isinstance(but, str) else but):
                self.checks.skip(name, because)

    def _app(self, app: Application) -> None:
        named = f"{app.label or '(no label)'} ({app.app_id})"
        if app.status == "ACTIVE":
            self.checks.ok(APP, f"{named} is ACTIVE")
        else:
            self.checks.fail(
                APP,
                f"{named} is {app.status}: nothing is read from it and nobody is removed",
                "Activate the app in Okta's admin console.",
            )

    # scopes

    def _scopes(self, source: OktaProbe, app: Application | None) -> None:
        somebody: str | None = None
        if app is None:
            self.checks.skip(APPS, "there is no app to read")
        else:
            with self._scope(APPS):
                people = next((page.records for page in source.app_users() if page.records), ())
                somebody = people[0].okta_id if people else None
                self.people = people
                self.checks.ok(
                    APPS, "the app's assignments can be read" if somebody else "nobody is assigned yet"
                )
                check_profiles(self.checks, self.settings.attributes, people)
        with self._scope(USERS):
            found = source.user_status(somebody) if somebody else source.user_id_of("nobody@syncd.invalid")
            said = "users can be read" if not isinstance(found, Absent) else "users can be asked for"
            self.checks.ok(USERS, said)
        with self._scope(GROUPS):
            next(iter(source.groups()), None)  # the first page says it
            self.checks.ok(GROUPS, "groups can be read")
        try:
            source.read_log_once()
        except SyncdError as error:
            so, found = "there are no delta cycles", "changes are"
            if self.settings.hooks.come:
                so, found = (
                    "deltas look at what event hooks name and at nothing else",
                    "what no hook names is",
                )
            self.checks.warn(
                LOGS,
                f"the System Log cannot be read, so {so}: {error.message}",
                f"Grant okta.logs.read; without it {found} found by full cycles only.",
            )
        else:
            self.checks.ok(LOGS, "the System Log can be read")
        granted = source.granted_scopes()
        if granted is not None:
            self._granted(granted)

    def _granted(self, granted: frozenset[str]) -> None:
        broad = sorted(granted.difference(NEEDED))
        if broad:
            self.checks.warn(
                TOKEN, f"it carries more than is needed: {', '.join(broad)}", "Revoke them: syncd only reads."
            )

    def _scope(self, name: str) -> AbstractContextManager[None]:
        return _ScopeProbe(self.checks, name)

    # the rest

    def _limits(self, source: OktaProbe) -> None:
        buckets = source.limits()
        if not buckets:
            self.checks.warn(
                LIMITS,
                "Okta's answers show no rate limits",
                "Is there something between here and Okta that removes X-Rate-Limit headers?",
            )
            return
        share = self.settings.okta.rate_limit_share
        name, tightest = min(buckets.items(), key=lambda item: (item[1].limit, item[0]))
        text = (
            f"the smallest is {name}: {counted(tightest.limit, 'request')} a minute, {tightest.remaining} left now; "
            f"syncd uses at most {share:.0%} of each"
        )
        used_up = sorted(
            each for each, bucket in buckets.items() if bucket.remaining <= (1 - share) * bucket.limit
        )
        if used_up:
            self.checks.warn(
                LIMITS,
                f"{text}; others use up {', '.join(used_up)}",
                "A sync waits for its share. Raise okta.rate_limit_share, or find out who else asks so much.",
            )
        else:
            self.checks.ok(LIMITS, text)

    def _writers(self, app: Application | None) -> None:
        if app is None:
            self.checks.skip(WRITERS, "there is no app to read")
        elif not app.pushes_itself:
            self.checks.ok(WRITERS, "Okta's own provisioning of this app is off")
        elif self.settings.okta.coexist:
            self.checks.warn(
                WRITERS,
                "Okta provisions this app too and okta.coexist = true: two writers",
                "Turn Okta's provisioning off (Provisioning, To App) as soon as it is not needed.",
            )
        else:
            self.checks.fail(
                WRITERS,
                f"Okta provisions this app itself ({', '.join(sorted(app.features))}): sync refuses",
                "Turn Okta's provisioning of the app off (Provisioning, To App), or set okta.coexist = true.",
            )

    def _rules(self, source: OktaProbe) -> None:
        rules = self.settings.push_groups
        if not rules or not self.settings.provisioning.push_groups:
            off = "no push rule" if not rules else "provisioning.push_groups = false"
            self.checks.info(RULES, f"{off}: no group is pushed")
            return
        with self.checks.probing(RULES):
            everything: list[OktaGroup] | None = None
            if any(rule.source.kind not in ("id", "assigned", "okta_mappings") for rule in rules):
                everything = [group for page in source.groups() for group in page.records]
            for rule in rules:
                self._rule(source, rule, everything or [])

    def _rule(self, source: OktaProbe, rule: PushRule, everything: list[OktaGroup]) -> None:
        label = rule.source.label
        try:
            names, count = _matched(source, rule, everything)
        except SyncdError as error:
            self.checks.failed(RULES, error)
            return
        if not count:
            near = get_close_matches(rule.source.value, {group.name for group in everything}, n=1)
            meant = f' Did you mean "{near[0]}"?' if near and rule.source.kind == "name" else ""
            self.checks.warn(
                RULES,
                f"{label} matches no group",
                f"Correct the rule (letter case counts), or make the group.{meant}",
            )
            return
        refused = None if rule.action == "link" else self._refused(names)
        if refused:
            self.checks.warn(
                RULES,
                f"{label} matches {counted(count, 'group')}, not all of which can be pushed",
                refused,
            )
        else:
            self.checks.ok(RULES, f"{label} matches {counted(count, 'group')}")

    def _refused(self, names: Iterable[str]) -> str | None:
        protected = self.settings.safety.protected_groups
        flavor = self.settings.split.flavor
        for name in sorted(names):
            problem = group_name_problem(flavor, name, protected)
            if problem and not is_taken_over(flavor, name):
                return f"{name}: {problem}"
        return None


class _ScopeProbe(AbstractContextManager[None]):
    """A refused read is about the scope; any other failure is about the read."""

    def __init__(self, checks: Checks, name: str) -> None:
        self._checks = checks
        self._name = name

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, AccessDenied):
            self._checks.fail(self._name, error.message, error.hint or _ROLE)
        elif isinstance(error, TemporaryError):
            self._checks.fail(self._name, error.message, error.hint or "Try again in a minute.")
        elif isinstance(error, SyncdError):
            self._checks.failed(self._name, error)
        return isinstance(error, SyncdError)


def _matched(source: OktaProbe, rule: PushRule, everything: list[OktaGroup]) -> tuple[list[str], int]:
    """Names (as far as they are known) and number of the groups that a rule matches."""
    match rule.source.kind:
        case "id":
            group = source.group(rule.source.value)
            return ([group.name], 1) if isinstance(group, OktaGroup) else ([], 0)
        case "assigned":
            return [], sum(len(page.records) for page in source.app_groups())
        case "okta_mappings":
            return [], sum(len(page.records) for page in source.mappings())
        case _:
            names = [group.name for group in everything if rule.source.matches(group.name, group.description)]
            return names, len(names)
