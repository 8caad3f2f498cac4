"""`syncd plan -c new.toml --against current.toml`: what other settings would change, in numbers and names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.simulators.world import SplitWorld
from tests.cli.invoking import Answer
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import Rig, rig
from tests.schema.judging import problems

BASE = '[attributes]\nuserName = "email"\ndisplayName = "{givenName} {familyName}"\ntitle = "title"\n'


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Rig]:
    """Twelve people with titles, p11 without one, eight in the pushed group Crew; synced."""
    with rig(tmp_path, users=0, groups=0, pushed=["Crew"], split=SplitWorld()) as made:
        made.write_config(attributes=BASE, safety=FREE_TO_CHANGE)
        world = made.okta.world
        ids = [world.add_user(f"p{n:02}@example.com", "P", f"{n:02}", assign=True) for n in range(12)]
        for number, person in enumerate(ids[:11]):
            world.update_profile(person, directory=False, title=f"t{number}", units=["a", "b"])
        world.create_group("Crew", members=ids[:8])
        world.create_group("Others", members=ids[8:])
        made.sync()
        made.forget()
        yield made


def preview(made: Rig, *args: str, code: int = 0, **tables: str) -> Answer:
    """Of the settings as they are with these tables, against those that are written; both files lie beside them."""
    current, new = made.folder / "current.toml", made.folder / "new.toml"
    current.write_text(made.config.read_text())
    kept = dict(made.tables)
    made.write_config(**tables)
    new.write_text(made.config.read_text().replace('name = "acme"', 'name = "another"'))
    made.tables = kept
    made.write_config()
    made.forget()
    answer = made.run("plan", "--against", str(current), *args, code=code, config=new)
    assert made.writes() == [], "nothing is written"
    return answer


def document(made: Rig, *args: str, code: int = 0, **tables: str) -> dict[str, Any]:
    found = preview(made, "--json", *args, code=code, **tables).document
    assert problems(found) == []
    return found


def read_lists(made: Rig) -> list[str]:
    return sorted(path for path in made.reads() if path.endswith("/users"))


def test_the_numbers_say_attribute_by_attribute_whom_it_would_change(made: Rig) -> None:
    found = document(made, attributes=BASE.replace('"title"', '"{upper(title)}"'))

    assert found["settings"] == [{"setting": "attributes.title", "current": "title", "new": "{upper(title)}"}]
    assert found["people"] == 12
    [title] = found["attributes"]
    assert {key: title[key] for key in ("attribute", "people", "given", "changed", "blanked")} == {
        "attribute": "title",
        "people": 11,
        "given": 0,
        "changed": 11,
        "blanked": 0,
    }
    assert [(one["name"], one["current"], one["new"]) for one in title["examples"]][:2] == [
        ("p00@example.com", "t0", "T0"),
        ("p01@example.com", "t1", "T1"),
    ]
    assert found["counts"] == {"update_user": {"current": 0, "new": 11, "appearing": 11, "disappearing": 0}}
    assert [change["name"] for change in found["appearing"]] == [f"p{n:02}@example.com" for n in range(11)]
    assert (found["disappearing"], found["holds"]) == ([], [])


def test_okta_is_read_once_and_the_store_of_the_current_settings_counts(made: Rig) -> None:
    document(made, attributes=BASE.replace('"title"', '"{upper(title)}"'))
    both = made.reads()
    made.forget()
    made.plan()

    assert sorted(both) == sorted(made.reads())
    assert not (made.folder / "state" / "another.db").exists()


def test_what_would_be_lost_is_named_and_a_default_says_who_is_given_one(made: Rig) -> None:
    lost = document(made, attributes=BASE.replace('"title"', '"tilte"'))["attributes"]
    given = document(made, attributes=BASE.replace('"title"', '{ from = "title", default = "-" }'))[
        "attributes"
    ]

    assert [(each["attribute"], each["blanked"], each["people"]) for each in lost] == [("title", 11, 11)]
    assert [(each["given"], each["examples"][0]["name"]) for each in given] == [(1, "p11@example.com")]


def test_the_users_own_profile_is_read_where_only_the_new_settings_name_it(made: Rig) -> None:
    found = document(made, attributes=BASE.replace('"title"', '"user.firstName"'))

    assert found["attributes"][0]["examples"][0]["new"] == "P"
    assert found["standings"] == []


def test_whoever_could_not_be_mapped_any_more_is_counted_with_the_reason(made: Rig) -> None:
    [row] = document(made, attributes=BASE.replace('"title"', '"units"'))["standings"]

    assert (row["current"], row["new"], row["people"]) == ("active", "frozen", 11)
    assert "units is a list" in row["reason"]


def test_groups_that_other_rules_push_and_removals_are_told_too(made: Rig) -> None:
    rules = '[[push_groups]]\nsource = { name = "Others" }\n'
    found = document(made, rules=rules)

    assert {kind: count["appearing"] for kind, count in found["counts"].items()} == {
        "create_group": 1,
        "add_member": 4,
        "unlink_group": 1,
    }
    assert [row["setting"] for row in found["settings"]] == [
        'push_groups.name = "Crew"',
        'push_groups.name = "Others"',
    ]


def test_what_a_limit_would_hold_is_told_with_its_way_out(made: Rig) -> None:
    tight = FREE_TO_CHANGE.replace("max_updates = 100000", "max_updates = 3")
    new = BASE.replace('"title"', '"{upper(title)}"')
    found = document(made, code=3, attributes=new, safety=tight)

    [hold] = found["holds"]
    assert (hold["check"], hold["changes"]) == ("updates", 11)
    assert {change["held"] for change in found["appearing"]} == {"updates"}
    assert "Would be held (11 changes)" in preview(made, code=3, attributes=new, safety=tight).stdout


def test_changes_that_both_bring_are_no_difference(made: Rig) -> None:
    made.okta.world.add_user("new@example.com", "N", "N", assign=True)
    same = document(made)
    other = document(made, attributes=f'{BASE}locale = {{ value = "en" }}\n')

    assert (same["settings"], same["appearing"], same["attributes"]) == ([], [], [])
    assert same["counts"] == {"create_user": {"current": 1, "new": 1, "appearing": 0, "disappearing": 0}}
    assert other["counts"]["create_user"] == {"current": 1, "new": 1, "appearing": 1, "disappearing": 1}
    assert other["counts"]["update_user"]["appearing"] == 12


def test_an_adoption_by_other_rules_is_told(made: Rig) -> None:
    person = made.okta.world.add_user("new@example.com", "N", "N", assign=True)
    made.okta.world.update_profile(person, directory=False, title="T-1")
    there = made.split.world.create_local_user("old@example.com", "N", "N")
    made.split.world.edit_user(there, title="T-1")

    found = document(made, attributes=f'{BASE}[matching]\nby = ["externalId", "title"]\n')

    assert {change["kind"] for change in found["appearing"]} == {"adopt_user"}
    assert {change["kind"] for change in found["disappearing"]} == {"create_user"}


def test_the_text_says_it_in_numbers_and_names(made: Rig) -> None:
    said = preview(made, attributes=BASE.replace('"title"', '"{upper(title)}"')).stdout

    assert "12 people looked at. Nothing was written." in said
    assert "title: 11 people (11 another)" in said
    assert 'p00@example.com: "t0" → "T0"' in said
    assert "Only with the new settings" in said
    assert "Compared: update user: 11 more." in said
    assert "The two settings say the same" in preview(made).stdout


def test_the_exit_code_tells_differences_only_when_asked(made: Rig) -> None:
    new = BASE.replace('"title"', '"{upper(title)}"')

    assert preview(made, attributes=new).exit_code == 0
    preview(made, "--detailed-exitcode", code=2, attributes=new)
    preview(made, "--detailed-exitcode", code=0)


def test_other_apps_and_a_plan_to_save_are_refused(made: Rig) -> None:
    current = made.folder / "current.toml"
    current.write_text(made.config.read_text().replace(made.okta.world.app.id, "0oaanother"))

    assert "okta.app_id" in made.run("plan", "--against", str(current), code=64).stderr
    made.run("plan", "--against", str(made.config), "-o", "plan.json", code=64)
    assert "no such file" in made.run("plan", "--against", str(made.folder / "none.toml"), code=78).stderr


def test_an_unreadable_list_fails_both_and_is_said_once(made: Rig) -> None:
    path = f"/api/v1/apps/{made.okta.world.app.id}/users"
    made.okta.faults.add("status", path=path, count=-1, status=403)

    answer = preview(made, code=1)

    assert answer.stderr.count("Okta answered 403") == 1
