"""The sources of swipes that a configuration names, beside HTTP."""

from __future__ import annotations

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import BoxFolders, EdgeConfig
from edge_agent.swipe_sources.csv_tail import CsvTail
from edge_agent.swipe_sources.folder_drop import FolderDrop
from edge_agent.swipe_sources.intake import SwipeSource


def sources_of(config: EdgeConfig, folders: BoxFolders, device_id: str, clock: AgentClock) -> list[SwipeSource]:
    """Made and not yet running. Raises :class:`BadInput` when a secret or a certificate cannot be read."""
    swipes, institution = config.swipes, config.fixmedins_code
    sources: list[SwipeSource] = []
    if swipes.csv is not None:
        sources.append(CsvTail(swipes.csv, folders.data_dir / "sources", institution, clock))
    if swipes.folder is not None:
        sources.append(FolderDrop(swipes.folder, institution, clock))
    if swipes.mqtt is not None:
        from edge_agent.swipe_sources.mqtt import MqttSource

        sources.append(MqttSource(swipes.mqtt, f"renzheng-{device_id}", institution))
    return sources
