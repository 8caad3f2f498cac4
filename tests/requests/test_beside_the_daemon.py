"""Every command beside `syncd run`: the daemon does it, and the command ends as it does alone."""

from __future__ import annotations

from tests.e2e.rig import Rig
from tests.requests.asking import running


def test_a_person_is_provisioned_by_the_daemon_when_a_sync_asks_for_them(made: Rig) -> None:
    with running(made) as daemon:
        made.okta.world.add_user("ada@example.com", "Ada", "Byron", assign=True)

        document = made.run("sync", "--user", "ada@example.com", "--json").document

        assert document["schema"] == "syncd.run/1"
        assert document["status"] == "succeeded"
        assert document["summary"]["applied"] == {"create_user": 1}
        daemon.logs("request carried out", exit_code=0)
    made.assert_exact()
