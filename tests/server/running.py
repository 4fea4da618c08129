"""The server in a process of its own, as it runs in life; it may be killed at any time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import httpx

START_LIMIT_S = 60.0


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningServer:
    """``renzheng server run`` over a database that is there; after a kill it starts again on the same port."""

    def __init__(self, database_url: str, folder: Path, key_ring: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = {"database_url": database_url, "data_dir": str(folder), "key_ring": key_ring, "port": str(self.port)}
        self._environment = {f"RENZHENG_SERVER_{name.upper()}": value for name, value in (given | settings).items()}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and return when it answers."""
        command = [sys.executable, "-m", "renzheng", "server", "run"]
        self._process = subprocess.Popen(command, env=os.environ | self._environment, stderr=subprocess.DEVNULL)
        until_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until_s and self._process.poll() is None:
            with suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/v1/checks", trust_env=False)
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError("the server did not start")

    def stop(self) -> None:
        """End it in order; what does not end is killed."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
