"""Expressions of `[attributes]`: what each makes of a record, and what is said of those that are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.attribute_mapping import AttributeMapping, Constant, mapping_of
from syncd.core.expressions import ExpressionError, Flaw, Template, Unmappable
from syncd.core.functions import FUNCTIONS, LONGEST
from syncd.core.terms import Attribute
from syncd.model import AppUser, Scalar
from tests.core.making import quick

PROFILE: dict[str, object] = {
    "email": "Ann.Lee@Example.com",
    "givenName": "Ann",
    "familyName": "Lee",
    "department": "Engineering",
    "code": "  a  b ",
    "blank": "   ",
    "empty": "",
    "nothing": None,
    "number": 7,
    "whole": 7.0,
    "half": 0.5,
    "yes": True,
    "no": False,
    "zero": 0,
    "tags": ["x", "y", 3, None, ""],
    "none": [],
    "nested": ["x", ["y"]],
    "object": {"a": 1},
    "odd": "{email} %s \\ \"'",
    "huge": 10**400,
    "user.nickName": "from the app's profile",
    "credentials.userName": "from the app's profile",
}
RECORD = AppUser(
    okta_id="00u1",
    status="ACTIVE",
    user_status="ACTIVE",
    user_name="ann.lee",
    profile=PROFILE,
    via_group=None,
    user_profile={"nickName": "Annie", "email": "ann@home.example", "title": "Ms", "level": 3},
)

RESULTS: list[tuple[str, Scalar | None]] = [
    # names keep the type of the value
    ("email", "Ann.Lee@Example.com"),
    ("number", 7),
    ("yes", True),
    ("blank", "   "),
    ("empty", None),
    ("nothing", None),
    ("unknown", None),
    ("user.nickName", "Annie"),
    ("user.level", 3),
    ("user.unknown", None),
    ("credentials.userName", "ann.lee"),
    # templates are text
    ("{number}", "7"),
    ("{whole}", "7"),
    ("{half}", "0.5"),
    ("{yes}{no}", "truefalse"),
    ("{zero}", "0"),
    ("{givenName} {familyName}", "Ann Lee"),
    ("{ givenName }", "Ann"),
    ("{givenName} {unknown} {familyName}", "Ann Lee"),
    ("Dr. {unknown}", None),
    ("{code}", "a b"),
    ("{blank}", None),
    ("100% {givenName} %s", "100% Ann %s"),
    ("{odd}", "{email} %s \\ \"'"),
    ("{user.nickName} {credentials.userName}", "Annie ann.lee"),
    # literals
    ("{'{'}{givenName}{'}'}", "{Ann}"),
    ('{"say \\"hi\\""} {givenName}', 'say "hi" Ann'),
    ("{'it\\'s \\\\'} {givenName}", "it's \\ Ann"),
    ("{'x'}{unknown}", None),
    ("{lower('X')}{unknown}", None),
    # lower, upper, trim
    ("{lower(email)}", "ann.lee@example.com"),
    ("{upper(department)}", "ENGINEERING"),
    ("{upper(number)}", "7"),
    ("{upper(unknown)}", None),
    ("{trim(code)}", "a b"),
    ("<{trim(blank)}>", None),
    ("{lower( upper( trim( givenName ) ) )}", "ann"),
    ("{lower(user.nickName)}", "annie"),
    # replace
    ("{replace(email, '@Example.com', '@split.example')}", "Ann.Lee@split.example"),
    ('{replace(email, "@Example.com", "")}', "Ann.Lee"),
    ("{replace(department, 'e', '{')}", "Engin{{ring"),
    ("{replace(email, unknown, 'x')}", "Ann.Lee@Example.com"),
    ("{replace(email, '.', unknown)}", "AnnLee@Examplecom"),
    ("{replace(replace(email, '@', ' at '), '.', ' dot ')}", "Ann dot Lee at Example dot com"),
    # before, after
    ("{before(email, '@')}", "Ann.Lee"),
    ("{after(email, '@')}", "Example.com"),
    ("{before(email, '#')}", "Ann.Lee@Example.com"),
    ("{after(email, '#')}", None),
    ("{before(after(email, '.'), '@')}", "Lee"),
    ("{before(unknown, '@')}", None),
    ("{upper(before(email, '.'))} {familyName}", "ANN Lee"),
    # join
    ("{join(tags, ', ')}", "x, y, 3"),
    ("{join(tags, '')}", "xy3"),
    ("{join(none, ', ')}", None),
    ("{join(unknown, ', ')}", None),
    ("{join(givenName, ', ')}", "Ann"),
    ("{upper(join(tags, '/'))}", "X/Y/3"),
    # switch
    ("{switch(department, 'Engineering', 'E', 'Sales', 'S', 'Other')}", "E"),
    ("{switch(department, 'Sales', 'S', 'Other')}", "Other"),
    ("{switch(department, 'engineering', 'E', 'Other')}", "Other"),
    ("{switch(lower(department), 'engineering', givenName, familyName)}", "Ann"),
    ("{switch(unknown, 'x', 'X', 'Other')}", "Other"),
    ("{switch(unknown, '', 'none given', 'Other')}", "none given"),
    ("{switch(department, 'Sales', 'S', '')}", None),
    ("{switch(yes, 'true', 'Manager', 'Member')}", "Manager"),
    ("{switch(department, 'Engineering', 'E', object)}", "E"),
    ("{switch(department, 'Sales', 'S', 'Legal', 'L', upper(department))}", "ENGINEERING"),
]

ODD: list[tuple[str, str]] = [
    ("tags", "the attribute tags is a list or an object"),
    ("{object}", "the attribute object is a list or an object"),
    ("{upper(tags)}", "the attribute tags is a list or an object"),
    ("{join(nested, ' ')}", "the attribute nested"),
    ("{join(object, ' ')}", "the attribute object is a list or an object"),
    ("huge", "the attribute huge is a number of too many digits"),
    ("{huge}", "the attribute huge is a number of too many digits"),
    ("{switch(department, 'Sales', 'S', tags)}", "the attribute tags is a list or an object"),
]

WRONG: list[tuple[str, int, str, str]] = [
    # text, column, what is said, the text mended
    ("", 1, "names no attribute", ""),
    ("e mail", 1, "neither the name of an Okta attribute nor a template", ""),
    ("upper(department)", 1, "stands in braces", "{upper(department)}"),
    ("{}", 1, "empty placeholder", ""),
    ("a {  }", 3, "empty placeholder", ""),
    ("{email", 1, "without its partner", ""),
    ("email}", 6, "closing brace", ""),
    ("{email!r}", 7, "unexpected !", ""),
    ("{1a}", 2, "1 is no attribute name", ""),
    ("{uper(department)}", 2, "there are lower, upper, trim", "{upper(department)}"),
    ("x {Upper(department)}", 4, "has the function Upper, which there is not", "x {upper(department)}"),
    ("{eval(department)}", 2, "has the function eval, which there is not", ""),
    ("{__import__('os')}", 2, "has the function __import__, which there is not", ""),
    ("{upper()}", 2, "it is written upper(x)", ""),
    ("{upper(a, b)}", 2, "gives upper 2 of what it takes", ""),
    ("{replace(a, 'x')}", 2, "it is written replace(x, old, new)", ""),
    ("{before(a)}", 2, "it is written before(x, separator)", ""),
    ("{switch(a, 'x', 'X')}", 2, "its last argument is what everybody else gets", ""),
    ("{switch(a, 'x', 'X', 'y', 'Y')}", 2, "its last argument is what everybody else gets", ""),
    ("{replace(a, '', 'x')}", 13, "empty text where replace(x, old, new) needs one", ""),
    ('{after(a, "")}', 11, "empty text where after(x, separator) needs one", ""),
    ("{join(lower(a), ', ')}", 7, "joins what is no attribute", ""),
    ("{upper(a}", 9, "no closing )", ""),
    ("{upper(a b)}", 10, "no closing )", ""),
    ("{upper('a)}", 8, "begins with ' and never ends", ""),
    ("{upper(a, )}", 11, ") is no attribute name", ""),
    ("{replace(a, '\\n', 'x')}", 14, "has the escape \\n", ""),
    ("{'constant'}", 1, "names no attribute", ""),
    ("{upper('constant')}", 1, "names no attribute", ""),
    ("appuser.email", 1, "Okta expression appuser.email", "email"),
    ("{lower(source.email)}", 8, "Okta expression source.email", "{lower(email)}"),
    ("credentials.password", 1, "credentials.userName", "credentials.userName"),
    ("manager.email", 1, "is of an unknown source", ""),
    ("user.manager.email", 1, "is of an unknown source", ""),
    ("{" + "lower(" * 17 + "a" + ")" * 17 + "}", 98, "more than 16 functions", ""),
]


@pytest.mark.parametrize(("text", "result"), RESULTS, ids=[text for text, _ in RESULTS])
def test_an_expression_makes_this_of_the_record(text: str, result: Scalar | None) -> None:
    found = Template(text).value(RECORD)

    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(("text", "reason"), ODD, ids=[text for text, _ in ODD])
def test_what_cannot_be_mapped_is_a_value_that_names_the_attribute(text: str, reason: str) -> None:
    found = Template(text).value(RECORD)

    assert isinstance(found, Unmappable)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "column", "said", "mended"), WRONG, ids=[text or "empty" for text, *_ in WRONG]
)
def test_a_wrong_expression_is_refused_at_its_place(text: str, column: int, said: str, mended: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        Template(text)
    [flaw] = refused.value.flaws

    assert said in flaw.message
    assert (flaw.column, flaw.mended) == (column, mended)


@pytest.mark.parametrize("mended", [mended for *_, mended in WRONG if mended])
def test_a_mended_expression_is_accepted(mended: str) -> None:
    assert Template(mended).references


def test_all_that_is_wrong_with_one_expression_is_said_at_once() -> None:
    with pytest.raises(ExpressionError) as refused:
        Template("{uper(a)} {replace(b, 'x')} {trim(app.c)}")

    assert [flaw.column for flaw in refused.value.flaws] == [2, 12, 35]


def test_what_the_user_has_is_not_read_from_an_app_profile_that_pretends_to_have_it() -> None:
    unseen = AppUser("00u1", "ACTIVE", "ACTIVE", "ann.lee", PROFILE, None)

    found = Template("{user.nickName}").value(unseen)

    assert isinstance(found, Unmappable)
    assert "did not show the user's own profile" in found.reason


def test_an_expression_tells_once_what_it_reads() -> None:
    read = Template("{switch(a, b, user.c, join(d, e))} {a}").references

    assert [each.name for each in read] == ["a", "b", "user.c", "d", "e"]
    assert Template("email").references == (Attribute("email"),)


@pytest.mark.parametrize("text", ["{replace(long, 'x', long)}", "{join(list, long)}"])
def test_a_result_that_is_longer_than_any_attribute_is_not_made(text: str) -> None:
    long = "x" * (LONGEST // 10)
    record = AppUser("00u1", "ACTIVE", "ACTIVE", "a", {"long": long, "list": [long] * 20}, None)

    found = Template(text).value(record)

    assert isinstance(found, Unmappable)
    assert "more than 100,000 characters" in found.reason


@pytest.mark.parametrize(
    ("mapping", "value"),
    [
        (AttributeMapping(Constant("Contractor")), "Contractor"),
        (AttributeMapping(Constant(0)), 0),
        (AttributeMapping(Template("unknown"), "None given"), "None given"),
        (AttributeMapping(Template("empty"), "None given"), "None given"),
        (AttributeMapping(Template("blank"), "None given"), "None given"),
        (AttributeMapping(Template("zero"), 5), 0),
        (AttributeMapping(Template("no"), default=True), False),
        (AttributeMapping(Template("{upper(unknown)}"), "-"), "-"),
        (AttributeMapping(Template("department"), "-"), "Engineering"),
    ],
    ids=str,
)
def test_a_constant_is_the_same_for_all_and_a_default_takes_the_place_of_a_blank(
    mapping: AttributeMapping, value: Scalar
) -> None:
    assert mapping.value(RECORD) == value


def test_a_default_does_not_hide_what_cannot_be_mapped() -> None:
    assert isinstance(AttributeMapping(Template("tags"), "none").value(RECORD), Unmappable)


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        (mapping_of("email"), "email"),
        (mapping_of("{upper(department)}"), "{upper(department)}"),
        (AttributeMapping(Constant("Contractor")), '{ value = "Contractor" }'),
        (AttributeMapping(Constant(7)), "{ value = 7 }"),
        (AttributeMapping(Constant(True)), "{ value = true }"),
        (
            AttributeMapping(Template('{before(email, "@")}'), "it's"),
            '{ from = \'{before(email, "@")}\', default = "it\'s" }',
        ),
        (AttributeMapping(Template("locale"), on_create=True), '{ from = "locale", on = "create" }'),
    ],
)
def test_a_mapping_is_written_as_the_settings_have_it(mapping: AttributeMapping, text: str) -> None:
    assert str(mapping) == text


def test_a_parsed_expression_is_a_value_that_nobody_changes() -> None:
    one, other = mapping_of("{upper(department)}"), mapping_of("{upper(department)}")

    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises(AttributeError):
        one.expression.source = "email"  # type: ignore[misc,union-attr]


NAMES = st.sampled_from(["email", "tags", "user.nickName", "credentials.userName", "unknown", "a.b", "1"])
LITERALS = st.text(max_size=5).map(lambda text: json.dumps(text)[:8])
WORDS = NAMES | LITERALS | st.sampled_from([*"(){},'\" \\", *FUNCTIONS])
TEXTS = st.text(max_size=30) | st.lists(WORDS, max_size=14).map("".join)
TERMS = st.recursive(
    NAMES.filter(lambda name: name not in ("a.b", "1")) | st.sampled_from(["'@'", "'x'", "' '"]),
    lambda inner: st.one_of(
        st.builds("{}({})".format, st.sampled_from(["lower", "upper", "trim"]), inner),
        st.builds("{}({},{})".format, st.sampled_from(["before", "after"]), inner, inner),
        st.builds("replace({},{},{})".format, inner, inner, inner),
        st.builds("join(tags,{})".format, inner),
        st.builds("switch({},{},{},{})".format, inner, inner, inner, inner),
    ),
    max_leaves=6,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PROFILES = st.dictionaries(st.sampled_from(["email", "tags", "nickName"]), JSON)


@quick
@given(TEXTS)
def test_parsing_raises_nothing_but_its_own_error_and_points_into_the_text(text: str) -> None:
    flaws: tuple[Flaw, ...] | None = None
    try:
        Template(text)
    except ExpressionError as refused:
        flaws = refused.flaws
    assert flaws is None or flaws
    assert all(1 <= flaw.column <= len(text) + 1 for flaw in flaws or ())


@quick
@given(TERMS, PROFILES, PROFILES | st.none(), st.text(max_size=5))
def test_evaluation_never_raises_and_makes_one_value(
    term: str, profile: dict[str, Any], own: dict[str, Any] | None, login: str
) -> None:
    record = AppUser("00u1", "ACTIVE", "ACTIVE", login, profile, None, own)
    try:
        template = Template(f"{{{term}}} {{email}}")
    except ExpressionError:
        return  # a join of what is no list, a literal alone
    found = template.value(record)

    assert found is None or isinstance(found, str | Unmappable)
    assert found != ""
