"""Every form of a line of `[attributes]`: what it is read as, and what is said of a wrong one, all of it at once."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import ConfigurationError
from syncd.settings import load
from syncd.settings.fingerprint import scope_fingerprint
from tests.core.making import quick
from tests.settings.making import MINIMAL, problems, sentences, settings

HEAD = f'{MINIMAL}[attributes]\nuserName = "email"\n'
LINE = HEAD.count("\n") + 1
"""Of what is written behind it."""

FORMS = {
    "a name": ('title = "title"', "title"),
    "a template": ('title = "{title}, {unit}"', "{title}, {unit}"),
    "a function": ('title = "{upper(title)}"', "{upper(title)}"),
    "a literal in a function": (
        """title = '{replace(title, "a", "b")}'""",
        """{replace(title, "a", "b")}""",
    ),
    "a constant": ('title = { value = "Contractor" }', '{ value = "Contractor" }'),
    "a number": ("title = { value = 5 }", "{ value = 5 }"),
    "a boolean": ("title = { value = true }", "{ value = true }"),
    "from": ('title = { from = "title" }', "title"),
    "from and default": (
        'title = { from = "{upper(title)}", default = "None" }',
        '{ from = "{upper(title)}", default = "None" }',
    ),
    "on create": ('title = { from = "title", on = "create" }', '{ from = "title", on = "create" }'),
    "a constant on create": ('title = { value = "x", on = "create" }', '{ value = "x", on = "create" }'),
    "the user's own": ('title = "user.title"', "user.title"),
    "the user's own in a table": ('title = { from = "user.title" }', "user.title"),
    "the app's user name": ('title = "credentials.userName"', "credentials.userName"),
    "a table of its own": (
        '[attributes.title]\nfrom = "title"\non = "create"',
        '{ from = "title", on = "create" }',
    ),
}

WRONG = {
    "misspelt function": (
        'title = "{uper(title)}"',
        "title",
        11,
        "the function uper",
        'title = "{upper(title)}"',
    ),
    "misspelt function in a table": (
        'title = { default = "x", from = "{lowr(title)}" }',
        "title.from",
        35,
        "the function lowr",
        'title = { default = "x", from = "{lower(title)}" }',
    ),
    "behind an escape": (
        r'title = "\"{uper(title)}\""',
        "title",
        13,
        "the function uper",
        """title = '"{upper(title)}"'""",
    ),
    "behind a unicode escape": (
        r'title = "\u00e4{uper(title)}"',
        "title",
        17,
        "the function uper",
        'title = "ä{upper(title)}"',
    ),
    "in a literal string": ("title = '{trim()}'", "title", 11, "it is written trim(x)", ""),
    "too few arguments": ('title = "{before(title)}"', "title", 11, "before(x, separator)", ""),
    "a function without braces": (
        'title = "upper(title)"',
        "title",
        10,
        "in braces",
        'title = "{upper(title)}"',
    ),
    "an unknown source": ('title = "manager.title"', "title", 10, "unknown source", ""),
    "credentials": (
        'title = "credentials.password"',
        "title",
        10,
        "user name",
        'title = "credentials.userName"',
    ),
    "a list": ('title = ["a"]', "title", None, "is a list", ""),
    "a bare number": ("title = 5", "title", None, "{ value = ... }", ""),
    "a constant list": ('title = { value = ["a"] }', "title.value", None, "is a list", ""),
    "a constant table": ("title = { value = { a = 1 } }", "title.value", None, "is a table", ""),
    "a constant date": ("title = { value = 2026-01-01 }", "title.value", None, "is a date or time", ""),
    "an empty constant": ('title = { value = " " }', "title.value", None, "is empty", ""),
    "an endless constant": ("title = { value = inf }", "title.value", None, "no number that JSON", ""),
    "a default list": ('title = { from = "a", default = [] }', "title.default", None, "is a list", ""),
    "a default of a constant": (
        'title = { value = "a", default = "b" }',
        "title.default",
        None,
        "never empty",
        "",
    ),
    "value and from": ('title = { value = "a", from = "b" }', "title", None, "keep one of the two", ""),
    "neither": ('title = { on = "create" }', "title", None, "neither", ""),
    "an unknown key": (
        'title = { form = "a", on = "create" }',
        "title.form",
        None,
        'did you mean "from"?',
        "",
    ),
    "another on": (
        'title = { from = "a", on = "update" }',
        "title.on",
        None,
        'must be "create"',
        'title = { from = "a", on = "create" }',
    ),
    "from is a number": ("title = { from = 5 }", "title.from", None, "is a number", ""),
    "from is empty": ('title = { from = "" }', "title.from", None, "is empty", ""),
}


@pytest.mark.parametrize(("line", "text"), FORMS.values(), ids=FORMS)
def test_a_form_is_read_and_written_the_shortest_way(line: str, text: str) -> None:
    assert settings(HEAD + line).mapped_as["title"] == text


@pytest.mark.parametrize(("line", "path", "column", "said", "fix"), WRONG.values(), ids=WRONG)
def test_a_wrong_form_is_named_with_line_and_column_and_the_line_to_write(
    line: str, path: str, column: int | None, said: str, fix: str, tmp_path: Path
) -> None:
    found = problems(HEAD + line, tmp_path)
    [problem] = [each for each in found if said in each.message]

    assert (problem.path, problem.line, problem.column) == (f"attributes.{path}", LINE, column)
    assert problem.fix == fix
    place = f"{LINE}:{column}" if column is not None else f"{LINE}"
    assert str(problem).startswith(f"{problem.file}:{place} attributes.{path}: ")


@pytest.mark.parametrize("fix", [fix for *_, fix in WRONG.values() if fix])
def test_a_line_to_write_is_accepted(fix: str) -> None:
    assert tomllib.loads(fix)
    assert "title" in settings(HEAD + fix).mapped_as


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = (
        f"{MINIMAL}[attributes]\n"
        'userName = "email"\n'
        'title = "{uper(title)} {trim()}"\n'
        'locale = { from = "{lowr(locale)}", default = [], on = "never", onn = 1 }\n'
        "nickName = { value = [] }\n"
        'displayname = "x"\n'
    )
    said = sentences(text, tmp_path)

    assert len(said) == 8
    assert [re.match(r"prod\.toml:(\d+)", each) is not None for each in said] == [True] * 8
    assert sum("attributes.title:" in each for each in said) == 2
    assert sum("attributes.locale" in each for each in said) == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('userName = { value = "x" }', "would give everybody the same userName"),
        (
            'userName = { from = "email", default = "x" }',
            "would give everybody without one the same userName",
        ),
        ('userName = { from = "email", on = "create" }', "is what people are known by"),
    ],
)
def test_a_user_name_is_each_persons_own_and_kept_up_to_date(line: str, said: str, tmp_path: Path) -> None:
    [problem] = problems(f"{MINIMAL}[attributes]\n{line}\n", tmp_path)

    assert said in problem.message


@pytest.mark.parametrize("path", ["displayName", '"name.givenName"', '"name.familyName"'])
def test_at_harness_no_name_can_be_sent_only_once(path: str, tmp_path: Path) -> None:
    line = f'{path} = {{ from = "x", on = "create" }}\n'
    at_harness = HEAD.replace("[split]", '[split]\nflavor = "harness"')

    assert "every update at Harness sends all names" in problems(at_harness + line, tmp_path)[0].message
    assert settings(HEAD + line).initial


def test_what_is_read_of_the_users_own_profile_is_known_beforehand() -> None:
    assert not settings(HEAD + 'title = "{upper(title)}"').reads_user_profiles
    assert settings(HEAD + "title = \"{switch(title, 'a', upper(user.title), title)}\"").reads_user_profiles


def test_the_forms_of_before_keep_their_fingerprint_and_every_other_has_one_of_its_own() -> None:
    lines = ['title = "a"', *(line for line, _ in FORMS.values())]
    found = {
        settings(HEAD + line).mapped_as["title"]: scope_fingerprint(settings(HEAD + line)) for line in lines
    }

    assert len(set(found.values())) == len(found)
    assert scope_fingerprint(settings(HEAD + 'title = { from = "a" }')) == found["a"]


PIECES = st.sampled_from(
    ["title", "user.", "{", "}", "(", ")", ",", "'a'", '\\"', "upper", "switch", " ", "x", "\\u00e4", "."]
)
VALUES = st.one_of(
    st.lists(PIECES, max_size=10).map(lambda parts: f'"{"".join(parts)}"'),
    st.sampled_from(["1", "true", "[]", "{}", "inf", "2026-01-01", "'a'", "'''a'''", '"""{uper(a)}"""']),
)
LINES = st.one_of(
    VALUES,
    st.lists(st.tuples(st.sampled_from(["value", "from", "default", "on", "x"]), VALUES), max_size=4).map(
        lambda parts: "{ " + ", ".join(f"{key} = {value}" for key, value in dict(parts).items()) + " }"
    ),
)


@quick
@given(LINES)
def test_reading_settings_raises_nothing_but_their_own_error(value: str) -> None:
    try:
        made = settings(f"{HEAD}title = {value}\n")
    except ConfigurationError:
        return
    assert settings(f"{HEAD}title = {_toml(str(made.attributes['title']))}\n").attributes == made.attributes


def _toml(text: str) -> str:
    if text.startswith("{ "):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def test_a_directory_of_settings_says_the_problems_of_each_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(f'{HEAD}title = "{{uper(title)}}"\n')

    assert len(load([tmp_path], environ={}).problems) == 2


@pytest.mark.parametrize("name", ["department", "division", "organization", "costCenter", "employeeNumber"])
def test_an_attribute_of_the_enterprise_extension_has_a_short_name(name: str, tmp_path: Path) -> None:
    whole = f"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:{name}"

    assert settings(f'{HEAD}{name} = "x"\n').mapped_as[whole] == "x"
    assert settings(f'{HEAD}{name} = "x"\n[matching]\nby = ["{name}~"]\n').matched_by == [f"{whole}~"]
    twice = problems(f'{HEAD}{name} = "x"\n"{whole}" = "y"\n', tmp_path)
    assert "the same SCIM attribute" in twice[0].message


def test_the_lines_of_the_contract_are_read() -> None:
    made = settings(
        HEAD
        + 'title = { value = "Contractor" }\n'
        + 'department = { from = "{upper(department)}", default = "None" }\n'
        + 'locale = { from = "locale", on = "create" }\n'
        + 'nickName = { from = "user.nickName" }\n'
        + '[matching]\nby = ["externalId", "userName"]\n'
    )

    assert (set(made.initial), made.reads_user_profiles) == ({"locale"}, True)
