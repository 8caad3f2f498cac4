"""What a good file becomes."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from syncd.core.limits import Limit
from syncd.core.rules import GroupSource, PushRule
from syncd.settings import ConnectionSettings
from tests.settings.making import MINIMAL, OKTA, SPLIT, changed, settings


def test_a_minimal_file_gets_the_defaults_of_the_contract() -> None:
    made = settings()
    assert (made.name, made.state_dir) == ("prod", Path("/etc/syncd/state"))
    assert made.store_path == Path("/etc/syncd/state/prod.db")
    assert made.path == Path("/etc/syncd/prod.toml")
    assert (made.okta.auth, made.okta.rate_limit_share, made.okta.timeout) == (
        "ssws",
        0.5,
        timedelta(seconds=30),
    )
    assert (made.split.flavor, made.split.update_method) == ("split", "auto")
    assert (made.split.concurrency, made.split.max_requests_per_second, made.split.member_batch) == (
        8,
        20,
        100,
    )
    assert made.provisioning.deactivation_grace == timedelta(0)
    assert made.mapped_as == {
        "userName": "email",
        "name.givenName": "givenName",
        "name.familyName": "familyName",
        "displayName": "{givenName} {familyName}",
        "emails[work].value": "email",
    }
    assert made.safety.max_deactivations == Limit(percent=10)
    assert made.safety.max_group_deletions == Limit(number=0)
    assert made.safety.max_member_removals == Limit(percent=20)
    assert made.safety.max_member_removals_per_group == Limit(percent=50)
    assert made.safety.protected_groups == ("Administrators",)
    assert made.schedule.full == timedelta(hours=6)
    assert made.server.address == ("127.0.0.1", 9464)
    assert made.audit.keep == timedelta(days=400)
    assert made.push_groups == ()


def test_every_source_becomes_a_tagged_value() -> None:
    forms = {
        'id = "00g1"': GroupSource("id", "00g1"),
        'name = "Eng"': GroupSource("name", "Eng"),
        'name_starts_with = "Eng"': GroupSource("name_starts_with", "Eng"),
        'name_ends_with = "Eng"': GroupSource("name_ends_with", "Eng"),
        'name_contains = "Eng"': GroupSource("name_contains", "Eng"),
        'description_contains = "Eng"': GroupSource("description_contains", "Eng"),
        "assigned = true": GroupSource("assigned"),
        "okta_mappings = true": GroupSource("okta_mappings"),
    }
    text = OKTA + "coexist = true\n" + SPLIT
    text += "".join(f"[[push_groups]]\nsource = {{ {form} }}\n" for form in forms)
    made = settings(text)
    assert [rule.source for rule in made.push_groups] == list(forms.values())
    assert [rule.source.label for rule in made.push_groups] == list(forms)


def test_a_rule_keeps_what_it_says() -> None:
    rule = 'source = { name = "Eng" }\naction = "link"\ntarget = "eng"\non_removal = "delete"\n'
    made = settings(f"{MINIMAL}[[push_groups]]\n{rule}")
    assert made.push_groups == (
        PushRule(GroupSource("name", "Eng"), "link", "eng", rename=False, on_removal="delete"),
    )
    assert settings(f'{MINIMAL}[[push_groups]]\nsource.name = "Eng"').push_groups[0].action is None


def test_harness_waits_a_day_and_protects_its_admins_unless_told_otherwise() -> None:
    harness = MINIMAL + 'flavor = "harness"\n'
    made = settings(harness)
    assert made.provisioning.deactivation_grace == timedelta(hours=24)
    assert made.safety.protected_groups == ("Administrators", "_fme_admins")
    assert settings(
        harness + '[provisioning]\ndeactivation_grace = "0s"'
    ).provisioning.deactivation_grace == timedelta(0)
    named = settings(harness + '[safety]\nprotected_groups = ["Owners"]')
    assert named.safety.protected_groups == ("Owners", "Administrators", "_fme_admins")


def test_administrators_stays_protected_on_split_and_is_free_on_plain_scim() -> None:
    emptied = "[safety]\nprotected_groups = []"
    assert settings(MINIMAL + emptied).safety.protected_groups == ("Administrators",)
    assert settings(MINIMAL + 'flavor = "scim"\n' + emptied).safety.protected_groups == ()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://Example.OKTA.com/", "https://example.okta.com"),
        ("https://example.okta.com:443", "https://example.okta.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_org_url_is_normalised(written: str, read: str) -> None:
    assert settings(changed("https://example.okta.com", written)).okta.org_url == read


def test_the_base_url_loses_its_trailing_slash_and_keeps_its_path() -> None:
    text = changed("https://split.example/scim/v2", "https://Split.Example:8443/scim/V2///")
    assert settings(text).split.base_url == "https://split.example:8443/scim/V2"


def test_a_service_app_needs_no_token() -> None:
    text = changed(
        'token = { env = "OKTA" }',
        'auth = "private_key"\nclient_id = "0oa2"\nprivate_key = { file = "k.pem" }\ndpop = true',
    )
    made = settings(text).okta
    assert made.token is None
    assert made.dpop
    assert made.private_key is not None
    assert (made.private_key.place, made.private_key.form) == ("/etc/syncd/k.pem", "key")


def test_the_filter_form_of_an_attribute_path_means_the_short_form() -> None:
    made = settings(
        MINIMAL + '[attributes]\nuserName = "email"\n\'emails[type eq "home"].value\' = "private"'
    )
    assert made.mapped_as == {"userName": "email", "emails[home].value": "private"}


def test_state_is_systemds_directory_only_when_unset() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/syncd:/var/lib/other"}
    assert settings(environ=environ).state_dir == Path("/var/lib/syncd")
    assert settings('state = "mine"\n' + MINIMAL, environ).state_dir == Path("/etc/syncd/mine")
    assert settings('state = "/srv/x/../y"\n' + MINIMAL, environ).state_dir == Path("/srv/y")


def test_a_token_date_is_a_toml_date() -> None:
    assert settings(MINIMAL + "token_created = 2026-03-01").split.token_created == date(2026, 3, 1)


def test_settings_cannot_be_changed() -> None:
    made = settings()
    with pytest.raises(ValidationError):
        made.okta.app_id = "0oa2"  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.attributes["userName"] = "login"  # type: ignore[index]


def test_the_server_can_be_off_and_can_be_ipv6() -> None:
    assert settings(MINIMAL + '[server]\nlisten = ""').server.address is None
    assert settings(MINIMAL + '[server]\nlisten = "[::1]:0"').server.address == ("::1", 0)


def test_settings_are_only_made_with_an_origin() -> None:
    with pytest.raises(TypeError, match="Origin"):
        ConnectionSettings.model_validate({"name": "x", "state": "s"})
