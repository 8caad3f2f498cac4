"""A quarantine ends when its cause does: what a person does about it is looked at once, not at the next probe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.rig import SPLIT_TOKEN, Rig
from tests.schema.judging import problems
from tests.service.connecting import token_in_a_file
from tests.service.supervisor import eventually
from tests.service.test_daemon import Inside, inside

NEXT_YEARS = "the-token-of-the-next-year"


@contextmanager
def quarantined(world: Rig) -> Iterator[Inside]:
    """Split refuses the token; the next probe is minutes away."""
    with inside(Inside([world.config])) as made:
        made.logs("cycle done", cycle="full")
        world.split.world.regenerate_token(NEXT_YEARS)
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        made.logs("connection quarantined")
        made.logs("still in quarantine")  # once after the start, whenever its time is
        yield made


def test_another_token_in_the_file_is_tried_at_once(world: Rig) -> None:
    secret = token_in_a_file(world)
    with quarantined(world) as made:
        secret.write_text(NEXT_YEARS)
        made.logs("connection well again")
        made.logs("applied", object="new@example.com")
    world.assert_exact()
    secret.unlink()


def test_the_same_content_written_anew_asks_nobody(world: Rig) -> None:
    secret = token_in_a_file(world)
    with quarantined(world) as made:
        polls = made.daemon.board.connection("acme").snapshot().totals.polls
        world.forget()
        secret.write_text(SPLIT_TOKEN + "\n")
        _some_turns(made)
        assert world.split.requests == []
        assert made.daemon.board.connection("acme").snapshot().totals.polls >= polls
    secret.unlink()


def _some_turns(made: Inside) -> None:
    """The delta's turn comes every second; three of them were had."""
    seen = []
    turn = made.daemon._served["acme"]._look

    def look() -> None:
        turn()
        seen.append(1)

    made.daemon._served["acme"]._look = look  # type: ignore[method-assign]
    eventually(lambda: len(seen) > 3, "turns")


def test_a_reload_and_a_retry_ask_at_once_and_a_retry_is_in_the_trail(world: Rig) -> None:
    with quarantined(world) as made:
        made.daemon.reload()
        made.logs("still in quarantine", times=2)

        status = world.run("status", "--json").document
        assert "next probe" in world.run("status").stdout
        assert f"syncd -c {world.config} retry" in world.run("status").stdout
        asked = world.run("retry", "--json").document
        assert problems(asked) == []
        assert asked["quarantine"]["next_probe"] < status["quarantine"]["next_probe"]
        made.logs("still in quarantine", times=3)

        world.split.world.regenerate_token(SPLIT_TOKEN)
        assert "asked at once" in world.run("retry").stdout
        made.logs("connection well again")
    rows = world.run("audit", "export").stdout
    assert rows.count('"kind":"retry"') + rows.count('"kind": "retry"') == 2


def test_a_retry_while_all_is_well_says_that_nothing_failed(world: Rig) -> None:
    world.run("sync")
    answer = world.run("retry")
    assert "nothing has failed" in answer.stdout
    assert "quarantine" not in answer.stdout
