"""Settings: TOML files, one for each connection, read whole and judged before anything else happens."""

from syncd.settings.explain import starter
from syncd.settings.fingerprint import scope_fingerprint, target_fingerprint
from syncd.settings.load import Loaded, configuration_error, load, load_or_raise, parse
from syncd.settings.problem import Problem
from syncd.settings.schema import (
    AuditSettings,
    ConnectionSettings,
    NotifySettings,
    OktaSettings,
    ProvisioningSettings,
    SafetySettings,
    ScheduleSettings,
    ServerSettings,
    SplitSettings,
)
from syncd.settings.secrets import SecretRef

__all__ = [
    "AuditSettings",
    "ConnectionSettings",
    "Loaded",
    "NotifySettings",
    "OktaSettings",
    "Problem",
    "ProvisioningSettings",
    "SafetySettings",
    "ScheduleSettings",
    "SecretRef",
    "ServerSettings",
    "SplitSettings",
    "configuration_error",
    "load",
    "load_or_raise",
    "parse",
    "scope_fingerprint",
    "starter",
    "target_fingerprint",
]
