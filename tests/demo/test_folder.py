from __future__ import annotations

from pathlib import Path

from syncd.demo.folder import NAME, output_folder, write_private


def test_the_output_goes_to_a_private_folder_in_the_working_directory(tmp_path: Path) -> None:
    with output_folder(tmp_path) as folder:
        write_private(folder / "report.html", "x")

    assert folder == tmp_path / NAME
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "report.html").stat().st_mode & 0o777 == 0o600


def test_what_the_last_demo_left_is_replaced(tmp_path: Path) -> None:
    with output_folder(tmp_path) as folder:
        (folder / "state").mkdir()
        (folder / "state" / "demo.db").write_text("old")
        (folder / "report.html").write_text("old")

    with output_folder(tmp_path) as again:
        left = {entry.name for entry in again.iterdir()}

    assert again == folder
    assert left == {".syncd-demo"}


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "thesis.txt").write_text("mine")

    with output_folder(tmp_path) as folder:
        pass

    assert folder.parent != tmp_path
    assert (tmp_path / NAME / "thesis.txt").read_text() == "mine"


def test_a_folder_that_another_demo_is_using_is_left_alone(tmp_path: Path) -> None:
    with output_folder(tmp_path) as first:
        write_private(first / "report.html", "first")
        with output_folder(tmp_path) as second:
            assert second != first
        assert (first / "report.html").read_text() == "first"


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / NAME).symlink_to(elsewhere)

    with output_folder(tmp_path) as folder:
        assert folder.parent != tmp_path

    assert list(elsewhere.iterdir()) == []
