"""`[hooks]` of `fleet.toml`: where this worker hears event hooks, and with which secret each org posts them.

One hook serves all connections of an org, whichever worker owns them; so what stands here takes the place of the
`[hooks]` of a connection's own settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from syncd.settings.problem import Finding
from syncd.settings.schema import HooksSettings, Table
from syncd.settings.secrets import SecretRef
from syncd.settings.values import HeaderName, HookListen, OrgUrl, Token, address_of, is_loopback

_ADDRESS = 'listen = "127.0.0.1:9465"'


class OrgHooks(Table):
    """`[[hooks.org]]`: one Okta org that posts event hooks."""

    org_url: OrgUrl
    header: HeaderName = "Authorization"
    secret: Token
    previous_secret: Token | None = None


class HooksOfOrg(HooksSettings):
    """What counts for a connection of an org that `fleet.toml` names: some worker listens, perhaps not this one."""

    @property
    def come(self) -> bool:
        """See `HooksSettings`."""
        return True


class FleetHooks(Table):
    """`[hooks]`: `listen` is "" where this worker hears none; `org` are those that others may hear as well."""

    listen: HookListen = ""
    org: Annotated[tuple[OrgHooks, ...], Field(strict=False)] = ()

    @property
    def address(self) -> tuple[str, int] | None:
        """As of `HooksSettings`."""
        return address_of(self.listen)

    def of_org(self, org_url: str) -> HooksSettings:
        """What counts for connections of this org."""
        found = next((each for each in self.org if each.org_url == org_url), None)
        if found is None:
            return HooksSettings()
        return HooksOfOrg.model_construct(
            listen=self.listen,
            header=found.header,
            secret=found.secret,
            previous_secret=found.previous_secret,
        )

    def secrets(self) -> Iterator[tuple[str, SecretRef]]:
        """Every secret reference with the path of its setting."""
        for number, each in enumerate(self.org):
            yield f"hooks.org[{number}].secret", each.secret
            if each.previous_secret is not None:
                yield f"hooks.org[{number}].previous_secret", each.previous_secret

    def warnings(self) -> Iterator[str]:
        """What is better otherwise."""
        for path, secret in self.secrets():
            yield from (f"{path}: {sentence}" for sentence in secret.warnings())
        if self.address is not None and not is_loopback(self.address[0]):
            yield (
                "hooks.listen: lets other machines post hooks without TLS, secret included: listen on an address that"
                " only the proxy or load balancer which ends TLS reaches"
            )

    def contradictions(self, status: str) -> Iterator[Finding]:
        """`status`: where the status page is."""
        if self.listen and not self.org:
            yield Finding(
                ("hooks", "listen"),
                "hears nobody: no [[hooks.org]] says which org posts event hooks, and with which secret",
            )
        if self.listen and self.listen == status and not self.listen.endswith(":0"):
            message = "is also fleet.listen: the status page must not be where the internet comes in"
            yield Finding(("hooks", "listen"), message, _ADDRESS)
        known: set[str] = set()
        for number, each in enumerate(self.org):
            if each.org_url in known:
                yield Finding(
                    ("hooks", "org", number, "org_url"),
                    "is there twice; while a secret is replaced the old one is previous_secret",
                )
            known.add(each.org_url)
