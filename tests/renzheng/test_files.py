"""Writing files: whole or not at all, also when the disk is full."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.errors import StorageFull
from renzheng.files import atomic_path, is_part, make_private, sha256_file, storage_errors, write_atomic


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("data", "expected"), [("人证\n", "人证\n".encode()), (b"\0\xff", b"\0\xff"), ("", b"")])
def test_text_and_bytes_are_written_into_new_folders(tmp_path: Path, data: str | bytes, expected: bytes) -> None:
    path = tmp_path / "a" / "b" / "file.json"

    write_atomic(path, data)

    assert path.read_bytes() == expected
    assert names(path.parent) == ["file.json"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_atomic(path, "old")

    with pytest.raises(RuntimeError, match="half way"), atomic_path(path) as part:
        part.write_text("half of the new")
        assert part.suffix == ".json"
        assert path.read_text() == "old"
        raise RuntimeError("half way")

    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.json"]


def test_a_full_disk_is_told_and_leaves_the_old_file(tiny_disk: Path) -> None:
    path = tiny_disk / "clip.mp4"
    write_atomic(path, b"old")

    with pytest.raises(StorageFull, match=r"clip\.mp4: no space left on the disk") as told:
        write_atomic(path, bytes(1_000_000))

    assert told.value.exit_code == 4
    assert path.read_bytes() == b"old"
    assert names(tiny_disk) == ["clip.mp4"]
    write_atomic(path, bytes(10_000))  # the room of the failed attempt is free again


def test_a_durable_file_is_on_the_disk_before_its_name_and_its_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def note(handle: int) -> None:
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        steps.append(f"{'folder' if folder else 'file'}, {'named' if (tmp_path / 'file').exists() else 'not named'}")

    monkeypatch.setattr(os, "fsync", note)
    write_atomic(tmp_path / "file", b"data", durable=False)
    assert steps == []
    (tmp_path / "file").unlink()
    write_atomic(tmp_path / "file", b"data")
    assert steps == ["file, not named", "folder, named"]


def test_a_disk_that_cannot_sync_folders_is_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(os, "fsync", refuse)
    write_atomic(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"


def test_private_folders_are_made_for_their_owner_and_others_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    make_private(tmp_path / "there" / "a" / "b")
    make_private(tmp_path / "there")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("there", "there/a", "there/a/b")]
    assert modes == [0o755, 0o700, 0o700]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [(".S1.42.part.mp4", True), (".S1.x.42.part", True), ("S1.42.part.mp4", False), (".S1.part.mp4", False)],
)
def test_temporary_files_are_known_by_their_names(name: str, is_one: bool) -> None:
    assert is_part(name) is is_one


def test_other_errors_of_the_disk_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), storage_errors(tmp_path):
        raise PermissionError(errno.EACCES, "no")
    with pytest.raises(StorageFull), storage_errors(tmp_path):
        raise OSError(errno.EDQUOT, "quota")


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_the_digest_is_that_of_the_bytes(tmp_path: Path, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    write_atomic(tmp_path / "file", data)

    assert sha256_file(tmp_path / "file") == hashlib.sha256(data).hexdigest()
