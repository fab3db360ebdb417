"""Files are written in one piece: whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from adversary.faults import room_for

import symflow as sf
from symflow.files import Lock, whole_file

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())

WRITERS: dict[str, Callable[[Path], object]] = {
    "flow.py": lambda path: sf.write_module(FLOW, path),
    "flow.json": lambda path: sf.save(FLOW, path),
    "flow.npz": lambda path: sf.save(FLOW, path),
}


# NumPy before 2.3 lets its archive complain once more when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with room_for(100), pytest.raises(sf.OutputError, match="cannot write there"):
        WRITERS[name](path)
    assert os.listdir(tmp_path) == []
    path.write_text("old")
    with room_for(100), pytest.raises(sf.OutputError, match="cannot write there"):
        WRITERS[name](path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    os.mkfifo(place)
    with pytest.raises(sf.OutputError, match="it is no file"):
        WRITERS[name](place)
    place.unlink()
    place.symlink_to("/dev/full")
    with pytest.raises(sf.OutputError, match="it is no file"):
        WRITERS[name](place)


def test_an_error_in_the_writing_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_file(tmp_path / "x", "f") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == []


def test_links_and_modes_stay(tmp_path: Path) -> None:
    path, link = tmp_path / ("x" * 250), tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    with whole_file(link, "f") as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_lock_that_was_removed_meanwhile_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder ends between the opening of the file beside and its locking."""
    path, first = tmp_path / "x", [Lock(tmp_path / "x", "f")]
    opened, calls = os.open, []

    def slow(*arguments: object) -> int:
        calls.append(1)
        file = opened(*arguments)
        if first:
            first.pop().release()
        return file

    monkeypatch.setattr(os, "open", slow)
    second = Lock(path, "f")
    assert len(calls) == 2
    with pytest.raises(sf.OutputError, match="another process"):
        Lock(path, "f")
    second.release()
    assert os.listdir(tmp_path) == []
