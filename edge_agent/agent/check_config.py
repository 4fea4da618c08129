"""Everything a configuration names, tried before a box relies on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from edge_agent.edge_config import EdgeConfig, secret_of
from renzheng.errors import BadInput, RenzhengError


def problems_of(config: EdgeConfig) -> list[str]:
    """What is wrong beyond the file's own form, a line each; empty when all is in order. No camera is called."""
    return [f"  {line}" for setting, trial in _trials(config) for line in _tried(setting, trial)]


def _tried(setting: str, trial: Callable[[], object]) -> Iterator[str]:
    try:
        trial()
    except RenzhengError as error:
        yield f"{setting}: {error}"
    except OSError as error:
        yield f"{setting}: {error.filename}: cannot be used: {error.strerror}"


def _trials(config: EdgeConfig) -> Iterator[tuple[str, Callable[[], object]]]:
    from calibration.zones import read_zones
    from edge_agent.live.vision_box import thresholds_of
    from edge_agent.people_folder import PeopleFolder
    from edge_agent.tables import read_agents
    from edge_agent.uplink.device import load_identity, tls_of
    from edge_agent.ward.admissions import read_admissions
    from edge_agent.ward.ward_file import read_ward
    from models.pack import DEFAULT_PACK, load_pack

    pack = config.pack or DEFAULT_PACK
    yield "pack", partial(load_pack, pack)
    yield "thresholds", partial(thresholds_of, config)
    for camera in config.camera:
        if camera.zones is not None:
            yield f"camera {camera.id}, zones", partial(read_zones, camera.zones)
        yield f"camera {camera.id}, password_file", partial(secret_of, camera.password_file)
        if camera.url.startswith("file:"):
            yield f"camera {camera.id}, url", partial(_file_there, Path(camera.url[5:].removeprefix("//")))
    references = config.references
    for name, folder in (("gallery", references.gallery), ("staff", references.staff)):
        if folder is not None:
            yield f"references.{name}", partial(PeopleFolder, folder)
    if references.agents is not None:
        yield "references.agents", partial(read_agents, references.agents)
    yield "http.token_file", partial(secret_of, config.http.token_file)
    if config.swipes.mqtt is not None:
        mqtt = config.swipes.mqtt
        yield "swipes.mqtt.password_file", partial(secret_of, mqtt.password_file)
    if config.server is not None:
        server = config.server
        yield "server.ca_file", partial(tls_of, server)
    if config.ward is not None:
        path, cameras = config.ward, [camera.id for camera in config.camera]
        yield "ward", lambda: read_admissions(read_ward(path, cameras).admissions)
    yield "data_dir", lambda: load_identity(_folders(config))


def _file_there(path: Path) -> None:
    if not path.is_file():
        raise BadInput(f"{path}: no such file")


def _folders(config: EdgeConfig) -> Path:
    from edge_agent.edge_config import BoxFolders

    return BoxFolders(config.data_dir).device
