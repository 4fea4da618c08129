"""Footfall by the hour and the latest fitness of each camera."""

from __future__ import annotations

from edge_agent.live.jobs import GlanceDone
from edge_agent.outbox.database import Database
from renzheng.clock import from_seconds
from renzheng.contracts import CameraFitness, HourlyFootfall

_HOUR_S = 3600


class Footfall:
    """The glances of one :class:`~edge_agent.outbox.store.Store`, summed up."""

    database: Database

    def add_glance(self, glance: GlanceDone) -> None:
        """Add one glance to its hour. A power cut may take the last minutes of counts; a kill takes none.

        Glances come several a second on a large box: syncing each would wear its flash.
        """
        hour_s = int(glance.at_s // _HOUR_S) * _HOUR_S
        with self.database.transaction(durable=False) as write:
            write.execute(
                "INSERT INTO footfall VALUES (?1, ?2, ?3, ?4, 1) ON CONFLICT (camera_id, hour_s) DO UPDATE SET"
                " visits = visits + ?3, most_at_once = max(most_at_once, ?4), looks = looks + 1",
                (glance.camera_id, hour_s, glance.arrived, glance.present),
            )
            write.execute(
                "INSERT OR REPLACE INTO fitness VALUES (?, ?)", (glance.camera_id, glance.fitness.model_dump_json())
            )

    def footfall(self, camera_id: str, since_s: float) -> tuple[HourlyFootfall, ...]:
        """The hours of a camera that end after ``since_s``, oldest first."""
        rows = self.database.rows(
            "SELECT * FROM footfall WHERE camera_id = ? AND hour_s > ? ORDER BY hour_s", (camera_id, since_s - _HOUR_S)
        )
        return tuple(
            HourlyFootfall(
                hour_start=from_seconds(row["hour_s"]),
                visits=row["visits"],
                most_at_once=row["most_at_once"],
                looks=row["looks"],
            )
            for row in rows
        )

    def fitness(self) -> dict[str, CameraFitness]:
        """The latest of each camera, by its id."""
        rows = self.database.rows("SELECT camera_id, body FROM fitness")
        return {row["camera_id"]: CameraFitness.model_validate_json(row["body"]) for row in rows}
