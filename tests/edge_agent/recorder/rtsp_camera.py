"""GStreamer's RTSP server as a camera, in a process of its own that can be killed.

Run by the system's Python, which has GStreamer's bindings: PORT LAUNCH [USER PASSWORD].
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

PYTHON = Path("/usr/bin/python3")
PICTURES = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1"
H264 = (
    f"( {PICTURES} ! x264enc tune=zerolatency key-int-max=25 speed-preset=ultrafast threads=1 ! rtph264pay name=pay0 )"
)
JPEG = f"( {PICTURES},format=I420 ! jpegenc ! rtpjpegpay name=pay0 )"
_NEEDED = "x264enc rtph264pay jpegenc rtpjpegpay videotestsrc"


def missing() -> str:
    """What this machine lacks for an RTSP server; empty when nothing."""
    check = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0')\n"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None)\n"
        f"print(' '.join(n for n in '{_NEEDED}'.split() if Gst.ElementFactory.find(n) is None))"
    )
    try:
        asked = subprocess.run([PYTHON, "-c", check], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "python3"
    return asked.stdout.strip() if asked.returncode == 0 else "gir1.2-gst-rtsp-server-1.0 or python3-gi"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class RtspCamera:
    """A camera at ``url`` once it is switched on."""

    def __init__(self, launch: str = H264, login: tuple[str, str] | None = None) -> None:
        self._port = free_port()
        self._arguments = [launch, *(login or ())]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"rtsp://127.0.0.1:{self._port}/cam"

    def __enter__(self) -> RtspCamera:
        self.switch_on()
        return self

    def __exit__(self, *_: object) -> None:
        self.pull_the_plug()

    def switch_on(self) -> None:
        """Start the server and wait until it listens."""
        command = [str(PYTHON), __file__, str(self._port), *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def pull_the_plug(self) -> None:
        """Kill the server."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _serve(port: str, launch: str, user: str = "", password: str = "") -> None:
    import gi  # type: ignore[import-not-found]

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch)
    factory.set_shared(True)
    if user:
        may = GstRtspServer.RTSPPermissions()
        for what in ("access", "construct"):
            may.add_permission_for_role("watcher", f"media.factory.{what}", True)
        factory.set_permissions(may)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "watcher")
        gate = GstRtspServer.RTSPAuth()
        gate.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(gate)
    server.get_mount_points().add_factory("/cam", factory)
    if server.attach(None) == 0:
        sys.exit(1)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
