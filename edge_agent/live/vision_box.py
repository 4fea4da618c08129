"""Everything a vision process has open: the pack, the cameras' rings, the people, the keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from calibration.sets import load_set
from calibration.zones import read_zones
from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import BoxFolders, CameraConfig, EdgeConfig, TerminalConfig
from edge_agent.live.check_files import BoxKeys, EvidenceKeeper
from edge_agent.live.folder_references import LiveFolderReferences
from edge_agent.live.surroundings import LiveSurroundings
from edge_agent.looks import LookMemory
from edge_agent.outbox.evidence import EvidenceBudget
from edge_agent.people_folder import PeopleFolder
from edge_agent.private_zones import PrivateZones
from edge_agent.references import FolderReferences
from edge_agent.ring.segment_ring import SegmentRing
from edge_agent.search import CheckSettings
from edge_agent.uplink.device import load_identity, storage_sealer
from edge_agent.uplink.references import CachedReferences
from edge_agent.uplink.template_cache import EncryptedTemplateCache
from models.pack import DEFAULT_PACK
from renzheng.contracts import ThresholdValues
from renzheng.errors import BadInput
from vision.pack import VisionPack, open_pack
from vision.people import Person
from vision.zones import Zones


@dataclass(frozen=True)
class CameraPlace:
    """One camera: its ring, its zones and what its place looks like."""

    camera: CameraConfig
    ring: SegmentRing
    zones: Zones
    private: PrivateZones
    surroundings: LiveSurroundings
    memory: LookMemory = field(default_factory=LookMemory)


@dataclass(frozen=True)
class VisionBox:
    """A vision process's parts; opened once. ``places`` are those of its cameras."""

    config: EdgeConfig
    clock: AgentClock
    pack: VisionPack
    thresholds: ThresholdValues
    places: dict[str, CameraPlace]
    references: LiveFolderReferences | CachedReferences
    keeper: EvidenceKeeper

    def place(self, camera_id: str) -> CameraPlace:
        """The camera's place. Raises :class:`BadInput` for a camera that is not configured."""
        place = self.places.get(camera_id)
        if place is None:
            raise BadInput(f"camera: expected one of {', '.join(self.places)}")
        return place

    def settings_at(self, terminal: TerminalConfig) -> CheckSettings:
        """How swipes at a terminal are checked."""
        return CheckSettings(
            pack=self.pack,
            thresholds=self.thresholds,
            zones=self.place(terminal.camera).zones,
            before_s=terminal.before_s,
            after_s=terminal.after_s,
            clock_offset_s=terminal.clock_offset_s,
            usual_span_s=self.config.usual_minutes * 60,
            camera_id=terminal.camera,
            memory=self.place(terminal.camera).memory,
        )

    def close(self) -> None:
        """Let go of the rings."""
        for place in self.places.values():
            place.ring.close()


def thresholds_of(config: EdgeConfig) -> ThresholdValues:
    """The threshold set a box uses. Raises :class:`BadInput` when there is none or it is another pack's."""
    pack = config.pack or DEFAULT_PACK
    name = config.thresholds or pack
    threshold_set, digest = load_set(name)
    if threshold_set.pack != pack:
        raise BadInput(f"{name}: made for the pack {threshold_set.pack}, not for {pack}")
    return threshold_set.values(digest)


def open_box(config: EdgeConfig, clock: AgentClock, cameras: Collection[str] | None = None) -> VisionBox:
    """Open everything, of the cameras only those named. Raises :class:`BadInput` or
    :class:`renzheng.errors.MissingPart` that says what is wrong."""
    folders = BoxFolders(config.data_dir)
    thresholds = thresholds_of(config)
    seen = [camera for camera in config.camera if cameras is None or camera.id in cameras]
    places = {camera.id: _place(camera, folders) for camera in seen}
    pack = open_pack(config.pack or DEFAULT_PACK)
    identity = load_identity(folders.device)
    return VisionBox(
        config=config,
        clock=clock,
        pack=pack,
        thresholds=thresholds,
        places=places,
        references=_references(config, folders, pack, clock),
        keeper=EvidenceKeeper(
            folders,
            BoxKeys(identity.device_id, identity.signing, identity.server_public_key if config.server else None),
            clock,
            EvidenceBudget(folders.store, config.keep).may_keep,
        ),
    )


def _place(camera: CameraConfig, folders: BoxFolders) -> CameraPlace:
    zones = read_zones(camera.zones) if camera.zones else Zones.whole_picture()
    ring = SegmentRing(folders.ring(camera.id))
    return CameraPlace(camera, ring, zones, PrivateZones(zones), LiveSurroundings(ring))


def _references(
    config: EdgeConfig, folders: BoxFolders, pack: VisionPack, clock: AgentClock
) -> LiveFolderReferences | CachedReferences:
    if config.references.source == "folder":
        return LiveFolderReferences(pack, config.references)
    cache = EncryptedTemplateCache(
        folders.template_cache,
        storage_sealer(folders.device),
        pack.embedder_sha256,
        people_max=config.references.cache_people,
        keep_s=config.references.cache_hours * 3600,
    )
    return CachedReferences(cache, pack.embedder_sha256, pack.embedding_size, clock, _local_staff(config, pack))


def _local_staff(config: EdgeConfig, pack: VisionPack) -> tuple[Person, ...] | None:
    """People enrolled on the box itself, beside the server's; ``None`` where no folder is named."""
    if config.references.staff is None:
        return None
    folder = PeopleFolder(config.references.staff)
    return FolderReferences(pack, folder, staff=folder).staff_people()
