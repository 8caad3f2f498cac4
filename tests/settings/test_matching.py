"""`[matching] by`: what may stand there, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.settings.fingerprint import scope_fingerprint
from tests.settings.making import MINIMAL, problems, settings


@pytest.mark.parametrize(
    ("by", "read"),
    [
        ('["externalId", "userName"]', ["externalId", "userName"]),
        ('["userName~"]', ["userName~"]),
        ('["emails.value", "externalId"]', ["emails.value", "externalId"]),
        ('["emails[work].value ~"]', ["emails[work].value~"]),
        ("""['emails[type eq "work"].value']""", ["emails[work].value"]),
        ('["displayName", "name.familyName~"]', ["displayName", "name.familyName~"]),
    ],
)
def test_what_may_be_matched_by_is_read(by: str, read: list[str]) -> None:
    assert settings(f"{MINIMAL}[matching]\nby = {by}\n").matched_by == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("by = []", "is empty"),
        ('by = "userName"', "a list in [ ]"),
        ("by = [1]", "is a number"),
        ('by = ["externalID"]', 'did you mean "externalId"?'),
        ('by = ["nonsense"]', "is not a SCIM user attribute"),
        ('by = ["externalId~"]', "take the ~ out"),
        ('by = ["userName", "userName~"]', "names an attribute twice"),
        ('by = ["title"]', "[attributes] does not map it"),
        ('of = ["userName"]', "is an unknown key"),
        (
            'by = ["title"]\n[attributes]\nuserName = "email"\ntitle = { value = "x" }',
            "the same for everybody",
        ),
        ('by = ["emails.value"]\n[attributes]\nuserName = "email"', 'add "emails[work].value" = ... there'),
    ],
)
def test_what_nobody_can_be_matched_by_is_refused(text: str, said: str, tmp_path: Path) -> None:
    found = problems(f"{MINIMAL}[matching]\n{text}\n", tmp_path)

    assert [problem for problem in found if said in f"{problem.message}"], [str(each) for each in found]
    assert all(problem.path.startswith("matching") for problem in found)


def test_the_default_said_aloud_is_no_other_scope_and_anything_else_is() -> None:
    silent = scope_fingerprint(settings())

    assert scope_fingerprint(settings(f'{MINIMAL}[matching]\nby = ["externalId", "userName"]\n')) == silent
    assert scope_fingerprint(settings(f'{MINIMAL}[matching]\nby = ["userName", "externalId"]\n')) != silent
