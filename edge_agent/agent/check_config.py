"""Everything a configuration names, tried before a box relies on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from edge_agent.edge_config import EdgeConfig, secret_of
from renzheng.errors import BadInput, RenzhengError

PHOTOS_SHOWN = 50


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
    if config.swipes.csv is not None:
        yield "swipes.csv.path", partial(_folder_there, config.swipes.csv.path.parent)
    if config.swipes.folder is not None:
        yield "swipes.folder.path", partial(_folder_there, config.swipes.folder.path)


def remarks_on(config: EdgeConfig) -> list[str]:
    """What is no mistake and may still not be meant, a line each."""
    from edge_agent.uplink.device import load_identity

    remarks = []
    if config.server is not None and not load_identity(_folders(config)).enrolled:
        remarks.append("server: this box is not enrolled there yet: renzheng edge enroll-device")
    for camera in config.camera:
        if "@" in camera.url.split("//", 1)[-1].split("/", 1)[0]:
            remarks.append(
                f"camera {camera.id}, url: holds a login; username and password_file keep it out of this file"
            )
    if config.terminal and config.references.staff is None and config.references.source == "folder":
        remarks.append("references.staff: none given: without a staff zone, a clerk counts as a customer")
    remarks += _photos_refused(config)
    return remarks


def _photos_refused(config: EdgeConfig) -> list[str]:
    """Photos that cannot be used; it is the operator's own screen, so they are named."""
    from edge_agent.people_folder import PeopleFolder
    from edge_agent.references import FolderReferences
    from models.pack import DEFAULT_PACK
    from renzheng.contracts import REASON_WORDS
    from vision.pack import open_pack

    if config.references.gallery is None:
        return []
    folders = [folder for folder in (config.references.gallery, config.references.staff) if folder is not None]
    pack = open_pack(config.pack or DEFAULT_PACK)
    lines = []
    for folder in folders:
        people = FolderReferences(pack, PeopleFolder(folder))
        ids = people.gallery.person_ids()
        without = sum(not (found and len(found.templates)) for found in map(people.person, ids))
        for refusal in people.refusals[:PHOTOS_SHOWN]:
            why = "; ".join(f"{REASON_WORDS[reason].zh} {REASON_WORDS[reason].en}" for reason in refusal.reasons)
            lines.append(f"{refusal.path}: {why}")
        refused = len(people.refusals)
        lines.append(f"{folder}: people: {len(ids)}, without a usable photo: {without}; photos refused: {refused}")
    return lines


def _file_there(path: Path) -> None:
    if not path.is_file():
        raise BadInput(f"{path}: no such file")


def _folder_there(path: Path) -> None:
    if not path.is_dir():
        raise BadInput(f"{path}: no such folder")


def _folders(config: EdgeConfig) -> Path:
    from edge_agent.edge_config import BoxFolders

    return BoxFolders(config.data_dir).device
