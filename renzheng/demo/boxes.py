"""The demo's two boxes, one at the counter and one on the ward: their configuration, and their replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from renzheng.demo.town import INSTITUTION, TERMINAL
from renzheng.demo.ward import HOSPITAL, WARD_CAMERA
from renzheng.files import write_atomic

if TYPE_CHECKING:
    from edge_agent.agent.replay import ReplayResult
    from renzheng.demo.footage import TownFiles

SPEED = 10.0
COUNTER_CAMERA = "counter"

_COUNTER = """# The box at the demo's counter. docs/operations.md says what else can be set.
fixmedins_code = "{institution}"
data_dir = "agent"
usual_minutes = 0    # the demo's day is minutes long; a real box keeps the 10 that are usual

[references]
source = "server"

[server]
url = "{server}"

[[camera]]
id = "{camera}"
url = "file:{recording}"
zones = "{town.zones}"

[[terminal]]
id = "{terminal}"
camera = "{camera}"
"""

_WARD = """# The box on the demo's ward.
fixmedins_code = "{institution}"
data_dir = "agent"
ward = "{town.ward}"

[references]
source = "server"

[server]
url = "{server}"

[[camera]]
id = "{camera}"
url = "file:{recording}"
"""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class DemoBox:
    """One box with what is replayed through it."""

    folder: Path
    config_text: str
    institution: str
    camera: str
    recordings: Sequence[Path]
    swipes: Path | None = None

    @property
    def config(self) -> Path:
        """Its ``edge.toml``, which a reader may take as an example."""
        return self.folder / "edge.toml"

    @property
    def data_dir(self) -> Path:
        """Where it keeps what it has, its enrolment among it."""
        return self.folder / "agent"

    def replay(self, on_progress: OnProgress) -> ReplayResult:
        """Play its recordings and swipes through a whole agent, which was enrolled and sends everything."""
        from edge_agent.agent.replay import run_replay
        from edge_agent.edge_config import read_config
        from edge_agent.tables import read_swipes

        write_atomic(self.config, self.config_text)
        swipes = read_swipes(self.swipes).swipes if self.swipes else ()
        recordings = {self.camera: self.recordings}
        return run_replay(read_config(self.config), recordings, swipes, SPEED, on_progress, sends=True)


def counter_box(town: TownFiles, folder: Path, server: str) -> DemoBox:
    """The box at the counter."""
    text = _COUNTER.format(
        institution=INSTITUTION,
        town=town,
        server=server,
        camera=COUNTER_CAMERA,
        recording=town.recordings[0],
        terminal=TERMINAL,
    )
    return DemoBox(folder, text, INSTITUTION, COUNTER_CAMERA, town.recordings, town.swipes)


def ward_box(town: TownFiles, folder: Path, server: str) -> DemoBox:
    """The box on the ward."""
    recording = town.ward_recordings[0]
    text = _WARD.format(institution=HOSPITAL, town=town, server=server, camera=WARD_CAMERA, recording=recording)
    return DemoBox(folder, text, HOSPITAL, WARD_CAMERA, town.ward_recordings)
