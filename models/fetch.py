"""Bring pinned files into the per-user cache, and check them.

A file lands at ``<cache_dir>/weights/<sha256>/<file>`` once its digest is right, and nothing is left behind otherwise.
After the first time no network is needed.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from models.manifest import InstalledSource, ManifestPack, PinnedFile, Source, UrlSource, WheelSource, manifest
from renzheng.errors import BadInput, MissingPart
from renzheng.files import atomic_path, sha256_file
from renzheng.settings import settings

ATTEMPTS_PER_SOURCE = 2
URL_TIMEOUT_S = 60.0
DOWNLOADER_TIMEOUT_S = 600.0
COPY_BLOCK_BYTES = 1 << 18

Advance = Callable[[int], None]
# brings a file to a path, reporting bytes; the last argument says that an earlier attempt gave wrong bytes
Bring = Callable[[Path, Advance, bool], None]


class SourceUnavailable(Exception):
    """One source could not give the file; the next one is asked. The message says why."""


class FileState(NamedTuple):
    """What is known about a cached file; ``actual_sha256`` is ``None`` where the file is absent."""

    file: PinnedFile
    path: Path
    actual_sha256: str | None

    @property
    def is_right(self) -> bool:
        """Whether the file is there with the pinned digest."""
        return self.actual_sha256 == self.file.sha256


def cached_path(file: PinnedFile, cache_dir: Path | None = None) -> Path:
    """Where the file lies once fetched, whether or not it does yet."""
    return (cache_dir or settings().cache_dir) / "weights" / file.sha256 / file.file


def verify_pack(name: str, cache_dir: Path | None = None) -> list[FileState]:
    """Read every cached file of the pack again and report its digest. Raises :class:`BadInput` for an unknown pack."""
    return [_state(file, cache_dir) for file in manifest().pack(name).files]


def fetch_pack(name: str, cache_dir: Path | None = None, progress: bool | None = None) -> ManifestPack:
    """Make sure every file of the pack is in the cache with the right digest, and return its manifest entry.

    ``progress`` shows a bar on standard error; by default only on a terminal. Raises :class:`BadInput` for an unknown
    pack or a wrong digest, :class:`MissingPart` when no source could be reached, saying what was tried.
    """
    pack = manifest().pack(name)
    with _shelf() as shelf:
        for file in pack.files:
            fetch_file(file, cache_dir, progress, shelf)
    return pack


def fetch_asset(name: str, cache_dir: Path | None = None, progress: bool | None = None) -> Path:
    """Path of an asset in the cache, fetched first if needed. Raises as :func:`fetch_pack` does."""
    return fetch_file(manifest().asset(name), cache_dir, progress)


def fetch_file(
    file: PinnedFile, cache_dir: Path | None = None, progress: bool | None = None, shelf: Path | None = None
) -> Path:
    """Path of the file in the cache, fetched first if it is absent or its digest is wrong.

    Every source is asked in turn; one that gives wrong bytes is asked once more. ``shelf`` is a folder for wheels that
    several files may share. Raises :class:`BadInput` naming file, expected and actual digest when what came was wrong,
    :class:`MissingPart` when nothing came.
    """
    state = _state(file, cache_dir)
    if state.is_right:
        return state.path
    state.path.unlink(missing_ok=True)
    failures: list[str] = []
    wrong_digests: list[str] = []
    with _progress_bar(file, progress) as advance, _shelf(shelf) as shelf:
        for label, bring in _bringers(file, shelf):
            try:
                wrong = _bring_verified(file, bring, state.path, advance)
            except SourceUnavailable as failure:
                failures.append(f"{label}: {failure}")
                continue
            if wrong is None:
                return state.path
            wrong_digests.append(f"{label} gave {wrong}")
    _drop_empty_folder(state.path.parent)
    raise _not_fetched(file, wrong_digests, failures)


@contextmanager
def _shelf(given: Path | None = None) -> Iterator[Path]:
    """The given folder, or a temporary one of our own."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="renzheng-wheels-") as folder:
        yield Path(folder)


def _state(file: PinnedFile, cache_dir: Path | None) -> FileState:
    path = cached_path(file, cache_dir)
    return FileState(file, path, sha256_file(path) if path.is_file() else None)


def _bring_verified(file: PinnedFile, bring: Bring, path: Path, advance: Advance) -> str | None:
    """Put the file at ``path`` if its digest is right; else the digest that came, after a second attempt."""
    actual = ""
    for attempt in range(ATTEMPTS_PER_SOURCE):
        with tempfile.TemporaryDirectory(prefix="renzheng-fetch-") as folder:
            brought = Path(folder) / file.file
            bring(brought, advance, attempt > 0)
            actual = sha256_file(brought)
            if actual == file.sha256:
                with atomic_path(path) as part:
                    shutil.copyfile(brought, part)
                return None
    return actual


def _not_fetched(file: PinnedFile, wrong_digests: Sequence[str], failures: Sequence[str]) -> BadInput | MissingPart:
    tried = "".join(f"\n  {line}" for line in [*wrong_digests, *failures])
    if wrong_digests:
        return BadInput(f"{file.file}: wrong digest; expected sha256 {file.sha256}, tried:{tried}")
    return MissingPart(
        f"{file.file} could not be fetched; tried:{tried}\n"
        f"Put it into a folder and set RENZHENG_WEIGHTS_DIR to that folder, or make a package index reachable for pip"
    )


def _drop_empty_folder(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _bringers(file: PinnedFile, shelf: Path) -> Iterator[tuple[str, Bring]]:
    """Each place to ask, in order, with how to bring the file from it to a path."""
    local = settings().weights_dir
    if local is not None:
        yield str(local / file.file), lambda to, advance, again: _copy(local / file.file, to, advance)
    for source in file.sources:
        yield str(source), partial(_bring, source, shelf)


def _bring(source: Source, shelf: Path, to: Path, advance: Advance, again: bool) -> None:
    match source:
        case InstalledSource():
            _copy(_installed_path(source), to, advance)
        case WheelSource():
            _copy_wheel_member(source, shelf / source.requirement, to, again)
            advance(to.stat().st_size)
        case UrlSource():
            _download(source.url, to, advance)


def _copy(path: Path, to: Path, advance: Advance) -> None:
    if not path.is_file():
        raise SourceUnavailable("no such file")
    shutil.copyfile(path, to)
    advance(to.stat().st_size)


def _installed_path(source: InstalledSource) -> Path:
    spec = importlib.util.find_spec(source.package)
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise SourceUnavailable("the package is not installed")
    return Path(next(iter(folders))) / source.member


def _download(url: str, to: Path, advance: Advance) -> None:
    import urllib.error
    import urllib.request  # here because it costs start-up time that a warm cache need not pay

    try:
        with urllib.request.urlopen(url, timeout=URL_TIMEOUT_S) as response, to.open("wb") as stream:  # noqa: S310 the manifest admits http(s) alone
            while block := response.read(COPY_BLOCK_BYTES):
                stream.write(block)
                advance(len(block))
    except (urllib.error.URLError, OSError) as error:
        raise SourceUnavailable(str(error)) from error


def _copy_wheel_member(source: WheelSource, folder: Path, to: Path, again: bool) -> None:
    """Take the member from a wheel that an earlier file left in ``folder``, unless ``again``; else bring the wheel."""
    if not again and _take_member(folder, source.member, to):
        return
    failures: list[str] = []
    for command in wheel_commands(source.requirement, folder):
        shutil.rmtree(folder, ignore_errors=True)
        failure = _run_downloader(command)
        if failure is None and _take_member(folder, source.member, to):
            return
        failures.append(f"{' '.join(command[:4])} …: {failure or 'it brought no such member'}")
    raise SourceUnavailable("; ".join(failures) or "neither pip nor uv is here")


def wheel_commands(requirement: str, folder: Path) -> list[list[str]]:
    """The command lines that can bring a wheel into ``folder``, best first, as far as their programs are here.

    A virtual environment made by uv holds no pip, so uv is asked as well, then the pip of the Python that the
    environment was made from and any other on the path.
    """
    pip_download = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    commands: list[list[str]] = []
    if importlib.util.find_spec("pip") is not None:
        commands.append([sys.executable, "-m", "pip", *pip_download])
    if uv := shutil.which("uv"):
        into = ["--quiet", "--no-deps", "--python", sys.executable, "--target", str(folder), requirement]
        commands.append([uv, "pip", "install", *into])
    base_folder = str(Path(sys.base_prefix) / "bin")
    pythons = [shutil.which("python3", path=base_folder), shutil.which("python3")]
    commands.extend([python, "-m", "pip", *pip_download] for python in dict.fromkeys(pythons) if python)
    if pip := shutil.which("pip"):
        commands.append([pip, *pip_download])
    return commands


def _run_downloader(command: Sequence[str]) -> str | None:
    """Why the command failed, in its own last words; ``None`` when it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOADER_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[-1] if said else f"exit status {done.returncode}"


def _take_member(folder: Path, member: str, to: Path) -> bool:
    """Take the member from a wheel in the folder, or from where an installer unpacked it."""
    if (folder / member).is_file():
        shutil.copyfile(folder / member, to)
        return True
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            if member in archive.namelist():
                with archive.open(member) as source, to.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
                return True
    return False


def _progress_bar(file: PinnedFile, wanted: bool | None) -> AbstractContextManager[Advance]:
    if wanted is None:
        wanted = sys.stderr.isatty()
    return _rich_bar(file) if wanted else _no_bar()


@contextmanager
def _no_bar() -> Iterator[Advance]:
    yield lambda count_bytes: None


@contextmanager
def _rich_bar(file: PinnedFile) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(file.file, total=file.size_bytes)
        yield lambda count_bytes: bar.advance(task, count_bytes)
