"""What is said about a bad file: all at once, each with its place and a way out, never with a value."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from syncd.settings import load, parse
from tests.settings.making import MINIMAL, OKTA, SPLIT, changed, problems, sentences

RULE = '[[push_groups]]\nsource = { name = "Eng" }\n'


def test_every_problem_is_said_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = """\
[okta]
org_url = "https://example-admin.okta.com"
app_id = "0oa1"
tokn = { env = "OKTA" }
timeout = 30

[split]
base_url = "http://split.example/scim/v2/"
token = { env = "SPLIT" }
flavor = "splt"
concurrency = 0

[[push_groups]]
source = { name = "A" }
rename = "yes"

[[push_groups]]
source = { name = "A", id = "00g1" }
on_removal = "drop"

[schedule]
delta = "7h"
"""
    assert sentences(text, tmp_path) == [
        (
            "prod.toml:2 okta.org_url: is the address of Okta's admin console, not of the org; "
            'write: org_url = "https://example.okta.com"'
        ),
        'prod.toml:4 okta.tokn: is an unknown key; did you mean "token"?',
        (
            "prod.toml:5 okta.timeout: is a bare number; a duration is text with a unit: 30s, 5m, 6h or 7d; "
            'write: timeout = "30s"'
        ),
        (
            'prod.toml:5 okta.token: is missing: auth = "ssws" signs in with an API token: add it under [okta], '
            'after line 5; write: token = { env = "OKTA_API_TOKEN" }'
        ),
        (
            "prod.toml:8 split.base_url: is plain http to another machine, which would show the token to the network; "
            'http is only for loopback; write: base_url = "https://split.example/scim/v2"'
        ),
        'prod.toml:10 split.flavor: must be "split" or "harness" or "scim"; write: flavor = "split"',
        "prod.toml:11 split.concurrency: is out of range: it must be at least 1; write: concurrency = 8",
        "prod.toml:15 push_groups[0].rename: has the wrong type: true or false is needed; write: rename = false",
        (
            "prod.toml:18 push_groups[1].source: has 2 keys (name, id), but needs exactly one; further groups go into "
            'a rule of their own; write: source = { name = "Engineering" }'
        ),
        'prod.toml:19 push_groups[1].on_removal: must be "keep" or "delete"; write: on_removal = "keep"',
        (
            "prod.toml:22 schedule.delta: makes delta longer than full, but a full cycle contains a delta; "
            'write: delta = "30s"'
        ),
    ]


WRONG = {
    "org_url without scheme": (
        changed('"https://example.okta.com"', '"example.okta.com"'),
        "okta.org_url",
        'write: org_url = "https://example.okta.com"',
    ),
    "org_url with path": (
        changed("https://example.okta.com", "https://example.okta.com/oauth2/default"),
        "okta.org_url",
        'write: org_url = "https://example.okta.com"',
    ),
    "org_url ftp": (changed("https://example", "ftp://example"), "okta.org_url", "https://"),
    "org_url bad port": (changed("okta.com", "okta.com:99999"), "okta.org_url", "port"),
    "org_url bad v6": (changed("example.okta.com", "[::1"), "okta.org_url", "cannot be read"),
    "org_url empty host": (changed("example.okta.com", ""), "okta.org_url", "no usable host"),
    "org_url placeholder": (changed("example.okta.com", "{yourOktaDomain}"), "okta.org_url", "host"),
    "org_url 10.x over http": (
        changed("https://example.okta.com", "http://10.0.0.1"),
        "okta.org_url",
        "loopback",
    ),
    "org_url localhost as a prefix": (
        changed("https://example.okta.com", "http://localhost.evil.example"),
        "okta.org_url",
        "loopback",
    ),
    "base_url query": (changed("scim/v2", "scim/v2?x=1"), "split.base_url", "query"),
    "base_url bare question mark": (changed("scim/v2", "scim/v2?"), "split.base_url", "query"),
    "base_url fragment": (changed("scim/v2", "scim/v2#x"), "split.base_url", "fragment"),
    "base_url userinfo": (
        changed("split.example", "joe:pa55word@split.example"),
        "split.base_url",
        "password",
    ),
    "base_url with /Users": (
        changed("scim/v2", "scim/v2/Users/"),
        "split.base_url",
        'write: base_url = "https://split.example/scim/v2"',
    ),
    "base_url dot segments": (changed("scim/v2", "scim/../v2"), "split.base_url", "dots"),
    "base_url NUL": (changed("scim/v2", "scim/\\u0000"), "split.base_url", "NUL"),
    "app_id with a slash": (changed("0oa1", "0oa1/users"), "okta.app_id", "0oa"),
    "auth unknown": (changed("[split]", 'auth = "SSWS"\n[split]'), "okta.auth", 'write: auth = "ssws"'),
    "share zero": (
        changed("[split]", "rate_limit_share = 0\n[split]"),
        "okta.rate_limit_share",
        "more than 0",
    ),
    "share nan": (changed("[split]", "rate_limit_share = nan\n[split]"), "okta.rate_limit_share", ""),
    "share above one": (
        changed("[split]", "rate_limit_share = 1.5\n[split]"),
        "okta.rate_limit_share",
        "at most 1",
    ),
    "ca_file missing": (
        changed("[split]", 'ca_file = "no.pem"\n[split]'),
        "okta.ca_file",
        "cannot be used (No such file",
    ),
    "proxy socks": (changed("[split]", 'proxy = "socks5://h:1"\n[split]'), "okta.proxy", "HTTP proxy"),
    "token number": (changed('{ env = "SPLIT" }', "5"), "split.token", "a number"),
    "token two places": (changed('env = "SPLIT"', 'env = "A", file = "b"'), "split.token", "exactly one"),
    "token no place": (changed('{ env = "SPLIT" }', "{}"), "split.token", "exactly one"),
    "token unknown place": (changed('env = "SPLIT"', 'envv = "SPLIT"'), "split.token", "unknown kind"),
    "token bad variable": (changed('env = "SPLIT"', 'env = "A=B"'), "split.token", "environment variable"),
    "token file NUL": (changed('env = "SPLIT"', 'file = "a\\u0000b"'), "split.token", "control characters"),
    "credential with path": (
        changed('env = "SPLIT"', 'credential = "../x"'),
        "split.token",
        "directory part",
    ),
    "token empty": (changed('{ env = "SPLIT" }', '""'), "split.token", "is empty"),
    "token_created text": (
        MINIMAL + 'token_created = "2026-03-01"',
        "split.token_created",
        "write: token_created = 2026-03-01",
    ),
    "concurrency true": (MINIMAL + "concurrency = true", "split.concurrency", "whole number"),
    "member_batch text": (
        MINIMAL + 'member_batch = "100"',
        "split.member_batch",
        "write: member_batch = 100",
    ),
    "timeout zero": (MINIMAL + 'timeout = "0s"', "split.timeout", 'write: timeout = "1s"'),
    "timeout compound": (MINIMAL + 'timeout = "1h30m"', "split.timeout", "one unit"),
    "timeout overflow": (MINIMAL + 'timeout = "999999d"', "split.timeout", "at most 10m"),
    "limit above 100%": (
        MINIMAL + '[safety]\nmax_deactivations = "101%"',
        "safety.max_deactivations",
        "0% and 100%",
    ),
    "limit negative": (MINIMAL + "[safety]\nmax_deactivations = -1", "safety.max_deactivations", "negative"),
    "limit beyond all there are": (
        MINIMAL + '[safety]\nmax_updates = "130%"',
        "safety.max_updates",
        'more than there are: it lies between 0% and 100%; write: max_updates = "100%"',
    ),
    "limit of growth beyond all measure": (
        MINIMAL + '[safety]\nmax_creations = "20000%"',
        "safety.max_creations",
        'write: max_creations = "10000%"',
    ),
    "limit of additions negative": (
        MINIMAL + '[safety]\nmax_member_additions_per_group = "-5%"',
        "safety.max_member_additions_per_group",
        "negative; 0 already holds every one for a decision; write: max_member_additions_per_group = 0",
    ),
    "limit negative with its line": (
        MINIMAL + "[safety]\nmax_blanked = -1",
        "safety.max_blanked",
        "write: max_blanked = 0",
    ),
    "limit of protected groups in words": (
        MINIMAL + '[safety]\nmax_protected_additions = "some"',
        "safety.max_protected_additions",
        "write: max_protected_additions = 3",
    ),
    "limit quoted number": (
        MINIMAL + '[safety]\nmax_deactivations = "40"',
        "safety.max_deactivations",
        "write: max_deactivations = 40",
    ),
    "limit true": (
        MINIMAL + "[safety]\nmax_deactivations = true",
        "safety.max_deactivations",
        "true or false",
    ),
    "limit words": (
        MINIMAL + '[safety]\nmax_deactivations = "few"',
        "safety.max_deactivations",
        "is not a limit",
    ),
    "protected blank": (
        MINIMAL + '[safety]\nprotected_users = [""]',
        "safety.protected_users[0]",
        "is empty",
    ),
    "protected text": (
        MINIMAL + '[safety]\nprotected_groups = "Administrators"',
        "safety.protected_groups",
        'write: protected_groups = ["Administrators"]',
    ),
    "protected user as text": (
        MINIMAL + '[safety]\nprotected_users = "ann.\\"x\\"@example.com"',
        "safety.protected_users",
        'write: protected_users = ["ann.\\"x\\"@example.com"]',
    ),
    "urls as text": (MINIMAL + '[notify]\nurls = "s3cr3t://hook"', "notify.urls", "a list in [ ]"),
    "listen port": (MINIMAL + '[server]\nlisten = "127.0.0.1:70000"', "server.listen", "127.0.0.1:9464"),
    "listen without port": (MINIMAL + '[server]\nlisten = "127.0.0.1"', "server.listen", "ADDRESS:PORT"),
    "listen name": (MINIMAL + '[server]\nlisten = "example.com:80"', "server.listen", "ADDRESS:PORT"),
    "urls not a list": (MINIMAL + '[notify]\nurls = "slack://x"', "notify.urls", "a list"),
    "name escapes": ('name = "../prod"\n' + MINIMAL, "name", "unfit for a file name"),
    "state tilde": ('state = "~/state"\n' + MINIMAL, "state", "shell"),
    "unknown table": (MINIMAL + "[shedule]\n", "shedule", 'did you mean "schedule"?'),
    "key in the wrong table": (
        MINIMAL + "rate_limit_share = 1",
        "split.rate_limit_share",
        "belongs under [okta]",
    ),
    "case of a key": (MINIMAL + "Concurrency = 1", "split.Concurrency", 'did you mean "concurrency"?'),
    "path is not a setting": ('path = "x"\n' + MINIMAL, "path", "unknown key"),
    "state_dir is not the key": ('state_dir = "x"\n' + MINIMAL, "state_dir", 'did you mean "state"?'),
    "table as text": ('notify = "x"\n' + MINIMAL, "notify", "a table"),
    "one bracket": (MINIMAL + '[push_groups]\nsource = { name = "x" }', "push_groups", "[[push_groups]]"),
    "no okta table": (SPLIT, "okta", "add the table [okta] with org_url and app_id"),
    "no base_url": (
        changed('base_url = "https://split.example/scim/v2"\n', ""),
        "split.base_url",
        "under [split]",
    ),
    "source text": (
        MINIMAL + '[[push_groups]]\nsource = "Eng"',
        "push_groups[0].source",
        "source = { name =",
    ),
    "source empty": (MINIMAL + "[[push_groups]]\nsource = {}", "push_groups[0].source", "no key"),
    "source missing": (
        MINIMAL + '[[push_groups]]\naction = "create"',
        "push_groups[0].source",
        "[[push_groups]]",
    ),
    "source unknown": (
        MINIMAL + '[[push_groups]]\nsource = { nam_starts_with = "x" }',
        "push_groups[0].source",
        'did you mean "name_starts_with"?',
    ),
    "source matches all": (
        MINIMAL + '[[push_groups]]\nsource = { name_contains = "" }',
        "push_groups[0].source",
        "is empty",
    ),
    "assigned false": (
        MINIMAL + "[[push_groups]]\nsource = { assigned = false }",
        "push_groups[0].source",
        "take the rule out",
    ),
    "unquoted attribute": (
        MINIMAL + '[attributes]\nuserName = "email"\nname.givenName = "x"',
        "attributes.name",
        "must be quoted",
    ),
    "attribute name whole": (
        MINIMAL + '[attributes]\nuserName = "email"\nname = "x"',
        "attributes.name",
        "one by one",
    ),
    "attribute list whole": (
        MINIMAL + '[attributes]\nuserName = "email"\nemails = "email"',
        "attributes.emails",
        '"emails[work].value"',
    ),
    "attribute reserved": (
        MINIMAL + '[attributes]\nuserName = "email"\nactive = "x"',
        "attributes.active",
        "sets itself",
    ),
    "attribute unknown": (
        MINIMAL + '[attributes]\nuserName = "email"\ndisplayname = "x"',
        "attributes.displayname",
        'did you mean "displayName"?',
    ),
    "userName missing": (
        MINIMAL + '[attributes]\ntitle = "t"',
        "attributes.userName",
        'write: userName = "email"',
    ),
    "template open": (
        MINIMAL + '[attributes]\nuserName = "{email"',
        "attributes.userName",
        "placeholder",
    ),
    "template empty": (MINIMAL + '[attributes]\nuserName = "{}"', "attributes.userName", "placeholder"),
    "template format": (
        MINIMAL + '[attributes]\nuserName = "{email!r}"',
        "attributes.userName",
        "placeholder",
    ),
    "constant": (MINIMAL + '[attributes]\nuserName = "e mail"', "attributes.userName", "neither"),
    "okta expression": (
        MINIMAL + '[attributes]\nuserName = "appuser.email"',
        "attributes.userName",
        'write: userName = "email"',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_named_with_its_place_and_a_way_out(case: str, tmp_path: Path) -> None:
    text, path, part = WRONG[case]
    found = problems(text, tmp_path)
    assert path in {problem.path for problem in found}
    [problem] = [one for one in found if one.path == path]
    assert part in str(problem)
    assert problem.line is not None


CONTRADICTIONS = {
    "rename on split": (MINIMAL + RULE + "rename = true", "push_groups[0].rename"),
    "token beside a key": (
        changed("[split]", 'auth = "private_key"\nclient_id = "c"\nprivate_key = { env = "K" }\n[split]'),
        "okta.token",
    ),
    "private key without client": (
        changed('token = { env = "OKTA" }', 'auth = "private_key"\nprivate_key = { env = "K" }'),
        "okta.client_id",
    ),
    "client without private key": (
        changed('token = { env = "OKTA" }', 'auth = "private_key"\nclient_id = "c"'),
        "okta.private_key",
    ),
    "client with a token": (changed("[split]", 'client_id = "c"\n[split]'), "okta.client_id"),
    "dpop with a token": (changed("[split]", "dpop = true\n[split]"), "okta.dpop"),
    "target with create": (MINIMAL + RULE + 'action = "create"\ntarget = "eng"', "push_groups[0].target"),
    "target without action": (MINIMAL + RULE + 'target = "eng"', "push_groups[0].target"),
    "target for many": (
        MINIMAL + '[[push_groups]]\nsource = { name_contains = "x" }\naction = "link"\ntarget = "eng"',
        "push_groups[0].target",
    ),
    "two rules, one source": (MINIMAL + RULE + RULE, "push_groups[1].source"),
    "two rules, one target": (
        MINIMAL
        + RULE
        + 'action = "link"\ntarget = "t"\n[[push_groups]]\nsource = { id = "00g1" }\naction = "link"\ntarget = "t"',
        "push_groups[1].target",
    ),
    "mappings without coexist": (
        MINIMAL + "[[push_groups]]\nsource = { okta_mappings = true }",
        "push_groups[0].source",
    ),
    "mappings with action": (
        OKTA + "coexist = true\n" + SPLIT + '[[push_groups]]\nsource.okta_mappings = true\naction = "link"',
        "push_groups[0].action",
    ),
    "suspended without deactivation": (
        MINIMAL + '[provisioning]\nsuspended_users = "deactivate"\ndeactivate_users = false',
        "provisioning.suspended_users",
    ),
    "delta over full": (MINIMAL + '[schedule]\nfull = "10s"', "schedule.full"),
    "one attribute twice": (
        MINIMAL + '[attributes]\nuserName = "email"\n"emails[work].value" = "a"\n"Emails[WORK].value" = "b"',
        'attributes."Emails[WORK].value"',
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_reported(case: str, tmp_path: Path) -> None:
    text, path = CONTRADICTIONS[case]
    tomllib.loads(text)
    assert path in [problem.path for problem in problems(text, tmp_path)]


def test_contradictions_are_reported_beside_wrong_types(tmp_path: Path) -> None:
    text = MINIMAL + "concurrency = 0\n" + RULE + "rename = true"
    assert [problem.path for problem in problems(text, tmp_path)] == [
        "split.concurrency",
        "push_groups[0].rename",
    ]


def test_the_lines_survive_long_strings_arrays_comments_and_dotted_keys(tmp_path: Path) -> None:
    text = (
        "# [okta]\n"
        'okta.org_url = "https://example.okta.com" # "\n'
        "okta . 'app_id' = '0oa1'\n"
        'okta.token.env = "OKTA"\n'
        "[notify]\n"
        "urls = [ # ]\n"
        "  '''json://h''',\n"
        '  """json://[h\\\n   x""",\n'
        "]\n" + SPLIT + "[[push_groups]]\nsource = { name = '[x' }\n\n[[push_groups]]\n"
        'source = { name = "y" }\nrename = 1\n'
    )
    lines = text.splitlines()
    [problem] = problems(text, tmp_path)
    assert problem.line == lines.index("rename = 1") + 1


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = tmp_path / "prod.toml"
    file.write_bytes(b"\xef\xbb\xbf" + (MINIMAL + "concurrency = 0\n").replace("\n", "\r\n").encode())
    [problem] = load([file], environ={}).problems
    assert problem.line == len((MINIMAL + "x").splitlines())


def test_a_literal_secret_never_shows_in_a_problem(tmp_path: Path) -> None:
    secret = "s3cr3tValue"
    for token in (
        f'"{secret} x"',
        f'"{secret}\\n\\n"',
        f'["{secret}"]',
        f'{{ env = "{secret}-x" }}',
        f'{{ x = "{secret}" }}',
    ):
        found = problems(changed('{ env = "SPLIT" }', token), tmp_path)
        assert [problem.path for problem in found] == ["split.token"]
        assert secret not in str(found)
        assert secret not in repr(found)
    for misplaced in (
        f'flavor = "{secret}"',
        f'token_created = "{secret}"',
        f'ca_file = "{secret}"',
        f'[notify]\nurls = "{secret}"',
        f'x = "{secret}"',
    ):
        assert secret not in repr(problems(MINIMAL + misplaced, tmp_path))
    assert secret not in repr(problems(changed("https://example.okta.com", secret), tmp_path))


def test_a_hostile_key_cannot_steer_the_terminal(tmp_path: Path) -> None:
    [said] = sentences(MINIMAL + '"\\u001b[2J\\u202e" = 1', tmp_path)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "(a name that is none of ours): is an unknown key" in said


def test_every_offered_line_is_accepted_when_written(tmp_path: Path) -> None:
    """The fix is TOML, and its key is the last part of the path (or another one that the sentence names)."""
    offered = 0
    for text, path, _ in WRONG.values():
        [problem] = [one for one in problems(text, tmp_path) if one.path == path]
        if problem.fix:
            offered += 1
            [key] = tomllib.loads(problem.fix)
            last = re.sub(r"\[\d+\]$", "", path).split(".")[-1].strip('"')
            assert key in {last, "name.givenName"}
    assert offered > 25


def test_a_fix_really_fixes(tmp_path: Path) -> None:
    text = changed("https://example.okta.com", "https://example-admin.okta.com/")
    [problem] = problems(text, tmp_path)
    lines = text.splitlines()
    assert problem.line is not None
    lines[problem.line - 1] = problem.fix
    made = parse("\n".join(lines), file=tmp_path / "x.toml", environ={})
    assert made.okta.org_url == "https://example.okta.com"
