"""The recorder of one camera as a process of its own, and the handle its parent holds.

The processes come from one small fork server, which has loaded what a recorder needs: they share that memory, and
start in a tenth of a second. They end with their parent, however that ends.
"""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import CameraConfig, KeepConfig
from edge_agent.logs import facts, start_logging
from edge_agent.recorder.recorder import Recorder
from edge_agent.recording_probe import RecordedFile
from edge_agent.ring.index import SegmentIndex
from renzheng.errors import RenzhengError
from renzheng.files import make_private

_LOG = logging.getLogger(__name__)

LOCK_NAME = "recorder.lock"
LOCK_WITHIN_S = 10.0
"""How long a recorder waits for one before it, which may just be ending, to let go of the camera's folder."""

_LOCK_LOOK_S = 0.1
_PARENT_LOOK_S = 1.0


class RecorderRunning(RenzhengError):
    """Another recorder holds the camera's folder."""

    exit_code = 6


def run_recorder(
    camera: CameraConfig, folder: Path, keep: KeepConfig, clock: AgentClock, recordings: Sequence[RecordedFile] = ()
) -> None:
    """Main of the process: record ``camera`` into the ring in ``folder`` until SIGTERM or until the parent is gone.

    With ``recordings`` they are played at their own times in place of the camera. Leaves with 0, or with the exit code
    of what made going on impossible: :class:`RecorderRunning`, ``ReaderStuck``, a damaged index.
    """
    start_logging(f"recorder {camera.id}")
    over = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its children in order
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    parent = _Parent()
    try:
        with hold_folder(folder), SegmentIndex(folder) as index:
            index.recover()
            _LOG.info("recorder begins", extra=facts(camera=camera.id))
            Recorder(camera, keep, clock, index, recordings).run(lambda: over.is_set() or parent.is_gone())
            _LOG.info("recorder ends", extra=facts(camera=camera.id))
    except RenzhengError as error:
        _LOG.error("recorder cannot go on: %s", error, extra=facts(camera=camera.id))
        sys.exit(error.exit_code)


@contextmanager
def hold_folder(folder: Path, within_s: float = LOCK_WITHIN_S) -> Iterator[None]:
    """Hold a camera's folder against a second recorder. Raises :class:`RecorderRunning` when one has it for longer."""
    make_private(folder)
    handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + within_s
        while not _locked(handle):
            if time.monotonic() > until:
                raise RecorderRunning(f"{folder}: another recorder writes here")
            time.sleep(_LOCK_LOOK_S)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


class _Parent:
    """Notices that the process which started this one is gone; asked often, it looks about once a second."""

    def __init__(self) -> None:
        self._process = multiprocessing.parent_process()
        self._next_look = 0.0

    def is_gone(self) -> bool:
        now = time.monotonic()
        if self._process is None or now < self._next_look:
            return False
        self._next_look = now + _PARENT_LOOK_S
        return not self._process.is_alive()


class RecorderHandle:
    """The parent's side of one recorder. It can be started again after it ended."""

    def __init__(
        self,
        camera: CameraConfig,
        folder: Path,
        keep: KeepConfig,
        clock: AgentClock,
        recordings: Sequence[RecordedFile] = (),
    ) -> None:
        self.camera_id = camera.id
        self._arguments = (camera, folder, keep, clock, tuple(recordings))
        self._process: BaseProcess | None = None

    def start(self) -> None:
        """Start the process; nothing happens when it runs."""
        if self.is_alive():
            return
        self._let_go()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["edge_agent.recorder.process"])
        self._process = context.Process(
            target=run_recorder, args=self._arguments, name=f"recorder {self.camera_id}", daemon=True
        )
        self._process.start()

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """Its number, also of one that ended; ``None`` before the first start."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; ``None`` before that."""
        return self._process.exitcode if self._process else None

    def stop(self, within_s: float) -> bool:
        """Have it finish its segment and leave; false when it did not in time and was killed."""
        if self._process is None:
            return True
        self._process.terminate()
        self._process.join(within_s)
        if self._process.is_alive():
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """End it at once; what it has recorded stays readable."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def _let_go(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
