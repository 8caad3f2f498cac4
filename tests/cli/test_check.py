"""`syncd check`: every probe by itself, against both simulators over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncd.settings.secrets import Copied, SecretRef, Stamp
from syncd.simulators.okta import OktaKnobs, OktaSimulator, ServiceClient
from syncd.simulators.split import SplitKnobs, SplitSimulator
from syncd.simulators.world import default_split, generate_okta
from tests.cli.invoking import OKTA_TOKEN, SPLIT_TOKEN, TODAY, Invoker, states, write_config
from tests.store.locking import mounted_as, without_file_locks


@pytest.fixture
def okta() -> Iterator[OktaSimulator]:
    with OktaSimulator(generate_okta(users=12, groups=3, seed=7), token=OKTA_TOKEN) as simulator:
        simulator.world.set_app(features=[])
        yield simulator


@pytest.fixture
def split() -> Iterator[SplitSimulator]:
    with SplitSimulator(default_split(), token=SPLIT_TOKEN) as simulator:
        yield simulator


@pytest.fixture
def config(syncd: Invoker, okta: OktaSimulator, split: SplitSimulator) -> Path:
    name = min(group.name for group in okta.world.groups.values() if len(group.name) < 25)
    return connect(syncd, okta, split, more=f'[[push_groups]]\nsource = {{ name = "{name}" }}\n')


def connect(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, *, more: str = "", created: str = TODAY
) -> Path:
    return write_config(
        syncd.directory / "config.toml",
        org_url=okta.url,
        app_id=okta.world.app.id,
        base_url=split.base_url,
        more=more,
        created=created,
    )


def test_a_good_connection_passes_every_probe_and_changes_nothing(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, config: Path
) -> None:
    said = syncd("check", "--json")

    assert said.exit_code == 0, said.stdout
    document = said.document
    assert document["schema"] == "syncd.check/1"
    assert document["connection"] == config.stem
    assert document["ok"] is True
    found = states(document)
    assert not {name: state for name, state in found.items() if state in ("fail", "skip", "warn")}
    assert [line["name"] for line in document["checks"]][-3:] == [
        "create users",
        "update attributes",
        "push groups",
    ]
    assert {found[name] for name in ("create users", "update attributes", "push groups")} == {"ok"}
    assert {record.method for record in (*okta.requests, *split.requests)} == {"GET"}
    assert not (syncd.directory / "state").exists()


@pytest.mark.parametrize("listen", ["0.0.0.0:9464", "[::]:9464", "10.1.2.3:9464"])
def test_an_address_that_others_reach_is_warned_about_with_the_way_out(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, listen: str
) -> None:
    connect(syncd, okta, split, more=f'[server]\nlisten = "{listen}"\n')

    said = syncd("check", "--json")

    assert said.exit_code == 0
    [line] = [line for line in said.document["checks"] if line["state"] == "warn"]
    assert (line["name"], "server.listen" in line["detail"]) == ("settings", True)
    assert "ask for no password: listen on 127.0.0.1" in line["detail"]


def test_for_people_every_probe_is_a_line_and_nothing_secret_is_shown(syncd: Invoker, config: Path) -> None:
    said = syncd("-vv", "check")

    assert said.exit_code == 0
    assert "✓ ok    create users" in said.stdout
    assert "SSO Strict" in said.stdout
    assert f"{config.stem}: ready" in said.stdout
    assert OKTA_TOKEN not in said.stdout + said.stderr
    assert SPLIT_TOKEN not in said.stdout + said.stderr


def test_a_secret_that_is_missing_is_named_and_the_other_side_is_still_probed(
    syncd: Invoker, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OKTA_API_TOKEN")

    said = syncd("check", "--json")

    assert said.exit_code == 78
    found = states(said.document)
    assert found["secrets"] == "fail"
    assert found["Okta reachable"] == "skip"
    assert found["Split token"] == "ok"
    assert found["create users"] == "fail"
    assert "OKTA_API_TOKEN" in said.stdout


def test_a_directory_of_credentials_that_is_closed_is_told(
    syncd: Invoker, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon could not notice that a credential is older than its file."""
    stamp = Stamp(1, 1, 1, 1, 1)
    monkeypatch.setattr(SecretRef, "copied", lambda _: Copied(stamp, {}, "/etc/syncd/credentials"))

    said = syncd("check", "--json")

    assert said.exit_code == 0
    [told] = [
        each for each in said.document["checks"] if each["name"] == "secrets" and each["state"] == "info"
    ]
    assert "chmod 711 /etc/syncd/credentials" in told["hint"]


def test_a_broken_settings_file_is_a_failed_check(syncd: Invoker) -> None:
    (syncd.directory / "config.toml").write_text("[okta]\norg_url = 3\n", encoding="utf-8")

    said = syncd("check", "--json")

    assert said.exit_code == 78
    assert said.document["ok"] is False
    assert states(said.document) == {"settings": "fail"}
    assert len(said.document["checks"]) > 1


@pytest.mark.parametrize(
    ("variable", "lines"),
    [
        (
            "OKTA_API_TOKEN",
            {
                "Okta reachable": "ok",
                "Okta token": "fail",
                "scope okta.users.read": "skip",
                "Split token": "ok",
            },
        ),
        ("SPLIT_SCIM_TOKEN", {"Split reachable": "ok", "Split token": "fail", "Okta token": "ok"}),
    ],
)
def test_a_wrong_token_fails_one_line_and_not_the_other_side(
    syncd: Invoker, config: Path, monkeypatch: pytest.MonkeyPatch, variable: str, lines: dict[str, str]
) -> None:
    monkeypatch.setenv(variable, "00wrong-token")

    said = syncd("check", "--json")

    assert said.exit_code == 1
    found = states(said.document)
    assert {line: found[line] for line in lines} == lines
    assert "00wrong-token" not in said.stdout + said.stderr


def test_an_app_that_okta_does_not_know_or_that_is_inactive_fails(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    config = connect(syncd, okta, split)
    config.write_text(config.read_text().replace(okta.world.app.id, "0oaunknown"))

    unknown = syncd("check", "--json")
    connect(syncd, okta, split)
    okta.world.set_app(status="INACTIVE")
    inactive = syncd("check", "--json")

    assert (unknown.exit_code, inactive.exit_code) == (1, 1)
    assert states(unknown.document)["Okta app"] == "fail"
    assert states(unknown.document)["scope okta.users.read"] == "ok"
    assert states(inactive.document)["Okta app"] == "fail"
    assert "INACTIVE" in inactive.stdout


@pytest.mark.parametrize(
    ("missing", "state", "code"),
    [("okta.users.read", "fail", 1), ("okta.groups.read", "fail", 1), ("okta.logs.read", "warn", 0)],
)
def test_each_missing_scope_is_named(
    syncd: Invoker, okta: OktaSimulator, config: Path, missing: str, state: str, code: int
) -> None:
    scopes = ("okta.apps.read", "okta.users.read", "okta.groups.read", "okta.logs.read")
    okta.set_knobs(ssws_scopes=tuple(scope for scope in scopes if scope != missing))

    said = syncd("check", "--json")

    assert said.exit_code == code, said.stdout
    assert states(said.document)[f"scope {missing}"] == state


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ("", "so there are no delta cycles"),
        ('[hooks]\nlisten = "127.0.0.1:9465"\nsecret = { env = "HOOK" }\n', "look at what event hooks name"),
    ],
    ids=["no hooks", "hooks"],
)
def test_without_the_system_log_what_is_left_of_deltas_is_said(
    syncd: Invoker,
    okta: OktaSimulator,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    hooks: str,
    said: str,
) -> None:
    monkeypatch.setenv("HOOK", "a-secret-of-the-event-hook")
    config.write_text(config.read_text() + hooks)
    okta.set_knobs(ssws_scopes=("okta.apps.read", "okta.users.read", "okta.groups.read"))
    lines = syncd("check", "--json").document["checks"]
    [line] = [each for each in lines if each["name"] == "scope okta.logs.read"]
    assert said in line["detail"]


def test_two_writers_fail_unless_they_shall_coexist(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    okta.world.set_app(features=["PUSH_NEW_USERS", "GROUP_PUSH"])
    config = connect(syncd, okta, split)

    alone = syncd("check", "--json")
    config.write_text(config.read_text().replace("[okta]", "[okta]\ncoexist = true"))
    together = syncd("check", "--json")

    assert (alone.exit_code, together.exit_code) == (1, 0)
    assert states(alone.document)["one writer"] == "fail"
    assert states(together.document)["one writer"] == "warn"


def test_a_push_rule_that_matches_nothing_or_a_forbidden_name_is_a_warning(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    okta.world.create_group("A name far too long for Split")
    rules = "".join(
        f'[[push_groups]]\nsource = {{ name = "{name}" }}\n'
        for name in ("No such group", "A name far too long for Split")
    )
    connect(syncd, okta, split, more=rules)

    said = syncd("check", "--json")

    assert said.exit_code == 0
    lines = [line for line in said.document["checks"] if line["name"] == "push rules"]
    assert [line["state"] for line in lines] == ["warn", "warn"]
    assert "matches no group" in lines[0]["detail"]
    assert "fewer than 25" in lines[1]["hint"]


@pytest.mark.parametrize(
    ("created", "state", "code"),
    [(None, "ok", 0), ("2099-01-01", "warn", 0), ("2020-01-01", "fail", 1)],
)
def test_the_age_of_the_split_token_is_judged(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, created: str | None, state: str, code: int
) -> None:
    connect(syncd, okta, split, created=created or TODAY)

    said = syncd("check", "--json")

    assert said.exit_code == code
    assert states(said.document)["Split token age"] == state


def test_a_clock_that_is_off_is_a_warning(syncd: Invoker, okta: OktaSimulator, config: Path) -> None:
    okta.knobs = OktaKnobs(clock_offset_seconds=900)

    said = syncd("check", "--json")

    assert said.exit_code == 0
    assert states(said.document)["clock"] == "warn"
    assert "ahead of ours" in said.stdout


def test_a_target_without_patch_is_updated_by_put(
    syncd: Invoker, split: SplitSimulator, config: Path
) -> None:
    split.knobs = SplitKnobs(patch_users=False, patch_groups=False)

    said = syncd("check", "--json")

    [line] = [line for line in said.document["checks"] if line["name"] == "PATCH or PUT"]
    assert line["state"] == "ok"
    assert "PUT" in line["detail"]


def test_nobody_there_is_said_for_each_side(syncd: Invoker) -> None:
    write_config(syncd.directory / "config.toml")

    said = syncd("check", "--json")

    assert said.exit_code == 1
    found = states(said.document)
    assert (found["Okta reachable"], found["Split reachable"]) == ("fail", "fail")
    assert found["push groups"] == "fail"


def test_a_base_url_that_answers_a_web_page_is_recognised(
    syncd: Invoker, split: SplitSimulator, config: Path
) -> None:
    split.faults.add("html", status=200, count=-1)

    said = syncd("check", "--json")

    assert said.exit_code == 1
    assert states(said.document)["create users"] == "fail"


def test_a_store_that_is_none_and_a_state_directory_that_cannot_be_are_failures(
    syncd: Invoker, config: Path
) -> None:
    state = syncd.directory / "state"
    state.mkdir()
    (state / "config.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    wrong = syncd("check", "--json")
    (state / "config.db").unlink()
    state.rmdir()
    state.write_text("a file where the directory should be")
    impossible = syncd("check", "--json")

    assert wrong.exit_code == impossible.exit_code == 78
    assert states(wrong.document)["store"] == "fail"
    assert states(impossible.document)["store"] == "fail"


def test_a_store_where_writers_cannot_see_each_other_is_a_warning(
    syncd: Invoker, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = config.parent / "state"
    state.mkdir()
    mounted_as(monkeypatch, "nfs4")
    without_file_locks(monkeypatch)

    said = syncd("check", "--json")

    assert said.exit_code == 0, said.stdout
    warned = [each["detail"] for each in said.document["checks"] if each["state"] == "warn"]
    assert len(warned) == 2
    assert "machines share (nfs4)" in warned[0]
    assert "cannot be locked (No locks available)" in warned[1]
    assert list(state.iterdir()) == []


def test_a_feature_that_is_switched_off_is_no_failure(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    connect(syncd, okta, split, more="[provisioning]\npush_groups = false\n")

    said = syncd("check", "--json")

    assert said.exit_code == 0
    assert states(said.document)["push groups"] == "info"


def test_a_service_app_with_a_private_key_passes_too(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    okta.gate.register(ServiceClient("0oaservice", public.decode(), dpop=True))
    place = syncd.directory / "key.pem"
    place.write_bytes(pem)
    place.chmod(0o600)
    config = connect(syncd, okta, split)
    config.write_text(
        config.read_text().replace(
            'token = { env = "OKTA_API_TOKEN" }',
            'auth = "private_key"\nclient_id = "0oaservice"\nprivate_key = { file = "key.pem" }\ndpop = true',
        )
    )

    said = syncd("-vv", "check", "--json")

    assert said.exit_code == 0, said.stdout
    assert states(said.document)["Okta token"] == "ok"
    assert pem.decode().splitlines()[5] not in said.stdout + said.stderr


def test_attributes_that_no_profile_has_are_a_warning_before_accounts_are_made_without_them(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    """As recorded of OIDC apps, whose profiles have given_name and family_name."""
    table = '[attributes]\nuserName = "email"\ndisplayName = "{given_name} {givenName}"\ntitle = "jobTitle"\n'
    connect(syncd, okta, split, more=table)

    said = syncd("check", "--json")

    assert said.exit_code == 0
    [line] = [line for line in said.document["checks"] if line["name"] == "attributes"]
    assert line["state"] == "warn"
    assert "displayName wants given_name; title wants jobTitle" in line["detail"]
    assert "without it" in line["detail"]
    assert "givenName" in line["hint"]


def test_what_few_profiles_have_is_named_with_what_the_others_do_have(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    rows = list(okta.world.app_users.values())
    assert len(rows) >= 10
    rows[0].profile["jobTitle"] = "Lead"
    for row in rows:
        row.profile["job_title"] = "Lead"
    attributes = (
        'userName = "email"\ntitle = "{upper(jobTitle)}"\nnickName = { from = "jobTitle", default = "-" }\n'
    )
    connect(syncd, okta, split, more=f"[attributes]\n{attributes}")

    [line] = [each for each in syncd("check", "--json").document["checks"] if each["name"] == "attributes"]

    assert line["state"] == "warn"
    assert line["detail"].endswith("title wants jobTitle, which 1 have")
    assert "jobTitle: did you mean job_title?" in line["hint"]
    assert "givenName" in line["hint"]


def test_what_nobody_has_does_not_hide_what_few_have(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    next(iter(okta.world.app_users.values())).profile["jobTitle"] = "Lead"
    attributes = 'userName = "email"\ntitle = "jobTitle"\nnickName = "nothing"\n'
    connect(syncd, okta, split, more=f"[attributes]\n{attributes}")

    [line] = [each for each in syncd("check", "--json").document["checks"] if each["name"] == "attributes"]

    assert "(nickName wants nothing)" in line["detail"]
    assert line["detail"].endswith(
        "few of them have what [attributes] names: title wants jobTitle, which 1 have"
    )


def test_names_of_the_users_own_profile_are_looked_for_there(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator
) -> None:
    attributes = 'userName = "credentials.userName"\nnickName = "user.firstname"\ntitle = "{user.login}"\n'
    connect(syncd, okta, split, more=f"[attributes]\n{attributes}")

    [line] = [each for each in syncd("check", "--json").document["checks"] if each["name"] == "attributes"]

    assert "(nickName wants user.firstname)" in line["detail"]
    assert "did you mean user.firstName?" in line["hint"]


def test_an_app_whose_profiles_are_empty_can_provision_nobody_and_check_says_so(
    syncd: Invoker, okta: OktaSimulator, config: Path
) -> None:
    for row in okta.world.app_users.values():
        row.profile.clear()

    found = syncd("check", "--json").document["checks"]

    [line] = [line for line in found if line["name"] == "attributes"]
    assert line["state"] == "warn"
    assert "nobody can be provisioned" in line["detail"]


def test_an_account_that_looks_like_somebody_new_is_shown_and_nothing_is_done(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, config: Path
) -> None:
    ada = okta.world.add_user("ada@example.com", "Ada", "L", assign=True)
    there = split.world.insert_user(
        {"userName": "old.name", "emails": [{"value": "ada@example.com", "type": "work"}]},
        active=True,
        managed=False,
    ).id

    said = syncd("check", "--json")

    assert said.exit_code == 0
    [line] = [line for line in said.document["checks"] if line["name"] == "near misses"]
    assert line["state"] == "warn"
    assert f"ada@example.com looks like old.name ({there}): the same e-mail" in line["detail"]
    assert "a sample of 13 assigned people, 13 of them new to syncd, and of" in line["detail"]
    assert f"syncd -c {config} link --user {ada} {there}" in line["hint"]
    assert {record.method for record in (*okta.requests, *split.requests)} == {"GET"}


def test_of_a_large_target_near_misses_are_sought_in_three_pages(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, config: Path
) -> None:
    for number in range(500):
        split.world.create_local_user(f"a{number:03}@elsewhere.com")

    said = syncd("check", "--json")

    [line] = [line for line in said.document["checks"] if line["name"] == "near misses"]
    assert line["state"] == "ok"
    assert "and of 300 accounts" in line["detail"]
    assert (
        len([record for record in split.requests if "count=100" in record.path and "/Users?" in record.path])
        == 3
    )


def test_whom_a_rule_takes_over_is_no_near_miss(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, config: Path
) -> None:
    okta.world.add_user("ada@example.com", "Ada", "L", assign=True)
    split.world.create_local_user("ada@example.com")

    said = syncd("check", "--json")

    assert states(said.document)["near misses"] == "ok"


def test_where_everybody_has_an_account_no_list_is_read_for_near_misses(
    syncd: Invoker, okta: OktaSimulator, split: SplitSimulator, config: Path
) -> None:
    assert syncd("sync", "--json").exit_code == 0
    before = len(split.requests)

    said = syncd("check", "--json")

    [line] = [line for line in said.document["checks"] if line["name"] == "near misses"]
    assert "none of them is new to syncd" in line["detail"]
    assert not [
        record
        for record in split.requests[before:]
        if "/Users?" in record.path and "count=100" in record.path
    ]
