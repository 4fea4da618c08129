"""The demo's two boxes, one at the counter and one on the ward: their configuration, and their replay."""

from __future__ import annotations

import shutil
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
gallery = "{town.gallery}"
staff = "{town.staff}"
agents = "{town.agents}"

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
gallery = "{town.gallery}"

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
    camera: str
    recordings: Sequence[Path]
    swipes: Path | None = None

    @property
    def config(self) -> Path:
        """Its ``edge.toml``, which a reader may take as an example."""
        return self.folder / "edge.toml"

    def replay(self, on_progress: OnProgress) -> ReplayResult:
        """Play its recordings and swipes through a whole agent; results of an earlier demo in the folder go."""
        from edge_agent.agent.replay import run_replay
        from edge_agent.edge_config import read_config
        from edge_agent.tables import read_swipes

        shutil.rmtree(self.folder / "agent", ignore_errors=True)
        write_atomic(self.config, self.config_text)
        swipes = read_swipes(self.swipes).swipes if self.swipes else ()
        return run_replay(read_config(self.config), {self.camera: self.recordings}, swipes, SPEED, on_progress)


def counter_box(town: TownFiles, folder: Path) -> DemoBox:
    """The box at the counter."""
    text = _COUNTER.format(
        institution=INSTITUTION, town=town, camera=COUNTER_CAMERA, recording=town.recordings[0], terminal=TERMINAL
    )
    return DemoBox(folder, text, COUNTER_CAMERA, town.recordings, town.swipes)


def ward_box(town: TownFiles, folder: Path) -> DemoBox:
    """The box on the ward."""
    recording = town.ward_recordings[0]
    text = _WARD.format(institution=HOSPITAL, town=town, camera=WARD_CAMERA, recording=recording)
    return DemoBox(folder, text, WARD_CAMERA, town.ward_recordings)
