"""`syncd run` as systemd and a second shell see it: the real executable, real sockets, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import requests

from syncd.simulators.world import OktaWorld
from tests.connection_text import FREE_TO_CHANGE
from tests.e2e.rig import SPLIT_TOKEN, Rig
from tests.service.connecting import listen_on, schedule, second_connection, served, token_in_a_file
from tests.service.supervisor import eventually, supervised
from tests.serving import free_port


def finishes(world: Rig) -> None:
    """A full cycle of the daemon, after which the target holds exactly what it shall."""
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        assert daemon.stop() == 0
    world.assert_exact()


def test_systemd_hears_ready_status_signs_of_life_and_the_stop(world: Rig) -> None:
    with supervised(world.folder, world.config, environ={"WATCHDOG_USEC": "1000000"}) as daemon:
        daemon.hears("READY=1")
        daemon.logs("cycle done", cycle="full")
        daemon.hears("STATUS=acme: last full")
        daemon.hears("WATCHDOG=1", times=3)
        world.assert_exact()

        assert daemon.stop() == 0

        daemon.hears("STOPPING=1")
        assert daemon.events("stopped")
    assert world.run("status", "--json").document["runs"][-1]["kind"] == "full"
    world.sync()  # the lock was given back


def test_a_credential_that_was_rotated_without_a_restart_is_noticed_until_it_is_copied_anew(
    world: Rig,
) -> None:
    source, copies = world.folder / "etc", world.folder / "run"
    for each in (source, copies):
        each.mkdir()
        (each / "split-token").write_text(SPLIT_TOKEN)
    text = world.config.read_text().replace('{ env = "E2E_SPLIT" }', '{ credential = "split-token" }')
    world.config.write_text(text)
    port = free_port()
    listen_on(world, port)
    environ = {"CREDENTIALS_DIRECTORY": str(copies), "SYNCD_CREDENTIALS_SOURCE": str(source)}
    with supervised(world.folder, world.config, environ=environ) as daemon:
        daemon.logs("cycle done", cycle="full")
        assert not daemon.events("an old credential is used")

        world.split.world.regenerate_token("another-token-entirely")
        (source / "split-token").write_text("another-token-entirely")

        daemon.logs("an old credential is used")
        [said] = daemon.events("an old credential is used")
        assert "split.token" in said["error"]
        assert "restart" in said["error"]
        page = requests.get(f"http://127.0.0.1:{port}/", timeout=30).text
        assert "restart the service" in page

        (copies / "split-token").write_text("another-token-entirely")
        daemon.logs("the credentials are those of their files")
        assert "restart the service" not in requests.get(f"http://127.0.0.1:{port}/", timeout=30).text
        assert len(daemon.events("an old credential is used")) == 1, "said once"
        assert daemon.stop() == 0
    for path in (source, copies):
        (path / "split-token").unlink()


def test_a_socket_in_the_abstract_namespace_is_told_too(world: Rig) -> None:
    with supervised(world.folder, world.config, abstract=True) as daemon:
        daemon.hears("READY=1")
        daemon.hears("STATUS=")
        assert not daemon.said("WATCHDOG=1")  # nobody asked for it


def test_between_full_cycles_a_change_in_okta_arrives_by_deltas(world: Rig) -> None:
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)

        daemon.logs("applied", kind="create_user", object="new@example.com")
        daemon.logs("cycle done", cycle="delta")

        assert daemon.stop() == 0
    world.assert_exact()
    assert len(daemon.events("cycle done")) == 2, "a quiet delta is not worth a line"


def test_stopped_in_the_middle_of_500_writes_the_next_start_completes_exactly(tmp_path: Path) -> None:
    okta = OktaWorld()
    for number in range(500):
        okta.add_user(f"p{number:03}@example.com", "P", f"{number:03}", assign=True)
    okta.create_group("Engineering")
    okta.create_group("Product")
    with served(tmp_path, okta=okta) as world:
        world.split.faults.add("delay", method="POST", path="/Users", count=-1, seconds=0.1)
        with supervised(world.folder, world.config) as daemon:
            eventually(lambda: len(world.writes()) > 60, "60 writes")
            assert daemon.stop() == 0
            daemon.hears("STOPPING=1")
        runs = world.run("status", "--json").document["runs"]
        assert {run["status"] for run in runs if run["kind"] == "full"} == {"interrupted"}
        told = world.run("report", "--format", "json").document
        assert (told["failures"], told["outages"]) == ([], []), "nothing failed"
        assert 0 < len(world.actual_people()) < 500
        world.split.reset_faults()

        finishes(world)


def test_an_answer_that_never_comes_does_not_keep_it_from_stopping(world: Rig) -> None:
    world.split.faults.add("delay", method="POST", path="/Users", count=-1, seconds=50, after_effect=True)
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("running")
        eventually(lambda: world.split._running >= 4, "writes in flight")
        assert daemon.stop() == 0
    world.split.reset_faults()

    finishes(world)


def test_a_read_that_hangs_does_not_keep_it_from_stopping_nor_the_store_locked(world: Rig) -> None:
    world.okta.faults.add("delay", path="/api/v1/apps/[^/]+/users", count=-1, seconds=50)
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("running")
        eventually(lambda: any("/logs" in path for path in world.reads()), "the read has begun")
        assert daemon.stop() == 0
        (said,) = daemon.events("stopped")
        assert said["still_busy"] == "acme"
    with sqlite3.connect(world.store) as database:
        assert database.execute("SELECT count(*) FROM writer").fetchone() == (0,)
    database.close()
    world.okta.reset_faults()
    world.sync()
    world.assert_exact()


def test_a_second_instance_is_refused_and_told_who_is_there(world: Rig) -> None:
    with supervised(world.folder, world.config) as first:
        first.hears("READY=1")
        with supervised(world.folder, world.config) as second:
            assert second.ends() == 3
            (said,) = [entry for entry in second.log if entry["level"] == "error"]
            assert f"syncd run (process {first.process.pid} on" in said["event"]
            assert not second.said("READY=1")
        assert "syncd run" in world.run("sync").stderr
        assert first.stop() == 0


def _page(port: int) -> str:
    return requests.get(f"http://127.0.0.1:{port}/", timeout=30).text


def test_sighup_with_a_broken_file_keeps_the_settings_and_says_so(world: Rig) -> None:
    port = free_port()
    listen_on(world, port)
    good = world.config.read_text()
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        world.config.write_text(good.replace("[okta]", "[okta]\nnonsense = 1\nmore = 2"))
        daemon.signal(signal.SIGHUP)
        daemon.logs("settings not used")
        daemon.hears("RELOADING=1")
        daemon.hears("READY=1", times=2)
        daemon.hears("STATUS=acme: the old settings stay in force")
        eventually(lambda: "the old settings stay in force" in _page(port), "the page says it")
        [said] = daemon.events("settings not used")
        assert "nonsense" in said["problem"]
        assert "more" in said["problem"]
        assert said["in_force"] == "the old settings of acme"
        assert not daemon.events("settings reloaded")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        daemon.logs("applied", object="new@example.com")

        world.config.write_text(good)
        daemon.signal(signal.SIGHUP)
        daemon.logs("settings reloaded", connections="acme")
        eventually(lambda: "nonsense" not in daemon.said("STATUS=")[-1], "the status is well again")
        assert daemon.stop() == 0


def test_sighup_with_a_port_that_somebody_has_leaves_the_page_where_it_was(world: Rig) -> None:
    port = free_port()
    listen_on(world, port)
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        supervised(world.folder, world.config) as daemon,
    ):
        daemon.hears("READY=1")
        listen_on(world, other.getsockname()[1])
        daemon.signal(signal.SIGHUP)
        daemon.logs("listen not changed", level="error")
        daemon.hears("READY=1", times=2)
        assert "acme" in _page(port)
        assert daemon.stop() == 0


def test_sighup_with_other_scope_settings_brings_the_full_cycle_forward_once(world: Rig) -> None:
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        fewer = '[attributes]\nuserName = "email"\n"name.givenName" = "givenName"'
        world.write_config(attributes=fewer, safety=FREE_TO_CHANGE)
        schedule(world)
        daemon.signal(signal.SIGHUP)
        daemon.logs("applied", kind="update_user")
        daemon.logs("cycle done", times=2, cycle="full")
        assert daemon.stop() == 0
    runs = world.run("status", "--json").document["runs"]
    assert [run["kind"] for run in runs if run["kind"] == "full"] == ["full", "full"]


def test_sighup_adds_and_takes_out_connections(world: Rig) -> None:
    home = world.folder / "conf"
    home.mkdir()
    text = world.config.read_text()
    world.config.rename(home / "acme.toml")
    with (
        second_connection(world, home / "beta.toml", text) as other,
        supervised(world.folder, home) as daemon,
    ):
        daemon.logs("cycle done", cycle="full", connection="beta")
        daemon.logs("cycle done", cycle="full", connection="acme")
        hidden = (home / "beta.toml").rename(home / "beta.off")
        daemon.signal(signal.SIGHUP)
        daemon.logs("connection taken out", connection="beta")
        other.world.add_user("new@example.com", "New", "Hire", assign=True)

        hidden.rename(home / "beta.toml")
        daemon.signal(signal.SIGHUP)
        daemon.logs("applied", connection="beta", object="new@example.com")
        assert daemon.stop() == 0
    assert not daemon.events("the store cannot be used")


def test_one_bad_file_of_two_hides_no_other(world: Rig) -> None:
    bad = world.folder / "bad.toml"
    bad.write_text("name = 7\n")
    with supervised(world.folder, world.config, bad) as daemon:
        daemon.hears("READY=1")
        daemon.hears("STATUS=bad:")
        daemon.logs("settings not used", file=str(bad))
        daemon.logs("cycle done", connection="acme")
        assert daemon.stop() == 0
    world.assert_exact()


def test_one_bad_file_alone_is_a_configuration_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("name = 7\n")
    with supervised(tmp_path, bad) as daemon:
        assert daemon.ends() == 78
        assert not daemon.said("READY=1")


def test_a_token_revoked_in_the_night_is_quarantine_and_a_new_one_ends_it(world: Rig) -> None:
    secret = token_in_a_file(world)
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("cycle done", cycle="full")
        world.split.world.regenerate_token("another-token-in-the-night")
        world.okta.world.add_user("new@example.com", "New", "Hire", assign=True)
        daemon.logs("connection quarantined", side="split")
        daemon.hears("STATUS=acme: in quarantine")
        world.forget()
        secret.write_text("another-token-in-the-night")
        daemon.signal(signal.SIGHUP)  # a person is there: asked at once
        daemon.logs("connection well again")
        daemon.logs("applied", object="new@example.com")
        eventually(lambda: "quarantine" not in daemon.said("STATUS=")[-1], "the status is well again")
        assert daemon.stop() == 0
    secret.unlink()
    world.assert_exact()


def test_the_pages_are_served_and_become_ready_with_the_first_complete_read(world: Rig) -> None:
    port = free_port()
    listen_on(world, port)
    url = f"http://127.0.0.1:{port}"
    with supervised(world.folder, world.config) as daemon:
        daemon.hears("READY=1")
        assert requests.get(f"{url}/healthz", timeout=10).status_code == 200
        eventually(lambda: requests.get(f"{url}/readyz", timeout=10).status_code == 200, "ready")
        metrics = requests.get(f"{url}/metrics", timeout=10).text
        assert 'syncd_runs_total{connection="acme"' in metrics
        assert "acme" in requests.get(url, timeout=10).text
        with supervised(world.folder, other_store(world)) as second:
            assert second.ends() == 1
            assert "server.listen" in second.log[-1]["event"] + second.log[-1]["hint"]
        assert daemon.stop() == 0


def test_an_address_that_others_reach_is_warned_about_at_the_start(world: Rig) -> None:
    port = free_port()
    listen_on(world, port)
    world.config.write_text(world.config.read_text().replace(f"127.0.0.1:{port}", f"0.0.0.0:{port}"))
    with supervised(world.folder, world.config) as daemon:
        daemon.logs("settings", level="warning")
        [said] = daemon.events("settings")
        assert "server.listen: lets other machines read the status page" in said["warning"]
        assert daemon.stop() == 0


def other_store(world: Rig) -> Path:
    """The same settings with a store of their own: only the port is in the way."""
    path = world.folder / "other.toml"
    path.write_text(world.config.read_text().replace('name = "acme"', 'name = "other"'))
    return path


def test_under_the_journal_the_log_is_json_and_by_hand_it_is_text(world: Rig) -> None:
    read, write = os.pipe()
    stat = os.fstat(write)
    environ = {**os.environ, "JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}
    command = [sys.executable, "-m", "syncd", "run", "-c", str(world.folder / "none.toml")]

    subprocess.run(command, env=environ, stderr=write, check=False)
    os.close(write)
    with os.fdopen(read) as journal:
        assert json.loads(journal.readline())["level"] == "error"
    by_hand = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert by_hand.stderr.startswith("error: ")
