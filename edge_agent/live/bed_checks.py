"""Bed checks over the rings: who is admitted now, what the camera saw, and the files that prove it."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.edge_config import EdgeConfig
from edge_agent.kept_files import ONE_CHECKS_ERRORS, told
from edge_agent.live.check_files import Pictures
from edge_agent.live.counter_checks import naming_unfit_camera
from edge_agent.live.jobs import BedJob, CheckDone
from edge_agent.live.vision_box import CameraPlace, VisionBox
from edge_agent.search import CheckSettings
from edge_agent.ward.admissions import CurrentAdmissions, Patient
from edge_agent.ward.bed_check import BedAsked, UprightFaces, check_bed, stopped_bed_check
from edge_agent.ward.empty_pictures import EmptyPictures
from edge_agent.ward.ward_file import Ward, read_ward
from renzheng.clock import from_seconds
from renzheng.contracts import BedCheck, BedVerdict, PendingSamples, Reason
from renzheng.errors import BadInput, StorageFull
from renzheng.files import storage_errors
from vision.bed_verdict import tracks_shown_of_bed
from vision.people import References


def ward_of(config: EdgeConfig) -> Ward | None:
    """The ward a box looks after, if any. Raises :class:`BadInput` that names every mistake of its file."""
    return read_ward(config.ward, [camera.id for camera in config.camera]) if config.ward else None


class BedChecks:
    """Answers bed jobs of one box."""

    def __init__(self, box: VisionBox, ward: Ward) -> None:
        self._box = box
        self._ward = ward
        self._admissions = CurrentAdmissions(ward.admissions)
        self._empty = {camera_id: EmptyPictures(place.private) for camera_id, place in box.places.items()}

    def check(self, job: BedJob) -> CheckDone:
        """The check of a bed, with its files complete on the disk.

        An error of the check's own makes it *not assessable*. Raises :class:`StorageFull`, and :class:`BadInput` for a
        bed that is no longer in the ward's file.
        """
        bed = next((bed for bed in self._ward.beds if bed.bed_id == job.bed_id), None)
        if bed is None:
            raise BadInput("bed_id: is not in the ward's file")
        place = self._box.place(bed.camera_id)
        asked = BedAsked(
            check_id=job.check_id,
            round_kind=job.round_kind,
            bed=bed,
            patient=self._admissions.patient_in(bed.bed_id, from_seconds(job.asked_s)),
            asked_s=job.asked_s,
            window_s=self._ward.window_s,
            fixmedins_code=self._box.config.fixmedins_code,
        )
        if job.give_up:
            check = stopped_bed_check(asked, place.ring, self._settings(place))
            return CheckDone(job.job_id, check, (), ("given up: the vision process died over it again and again",))
        try:
            with storage_errors(self._box.keeper.folders.evidence):
                return self._checked(job, asked, place)
        except StorageFull:
            raise
        except ONE_CHECKS_ERRORS as error:
            why = f"not assessable, because an error stopped its check: {told(error)}"
            return self._stopped(job, asked, place, Reason.UNREADABLE, why)

    def _settings(self, place: CameraPlace) -> CheckSettings:
        return CheckSettings(self._box.pack, self._box.thresholds, place.zones, camera_id=place.camera.id)

    def _checked(self, job: BedJob, asked: BedAsked, place: CameraPlace) -> CheckDone:
        doubts = (Reason.CLOCK_UNCLEAR,) if place.ring.clock_unclear(asked.window) else ()
        asked = replace(asked, doubts=doubts)
        references = self._references(asked.patient, asked.asked_s)
        empty = self._empty[place.camera.id]
        checked = check_bed(asked, place.ring, place.surroundings, references, self._settings(place), empty)
        if references.stale and checked.check.verdict is BedVerdict.SOMEONE_ELSE:  # an empty bed needs no templates
            known = references.withheld()
            checked = check_bed(asked, place.ring, place.surroundings, known, self._settings(place), empty)
        check = naming_unfit_camera(checked.check)
        if checked.pending is not None and self._box.keeper.keys.server_public_key is None:
            return self._stopped(job, asked, place, Reason.REFERENCE_UNREACHABLE)
        found = check.verdict is BedVerdict.PRESENT
        pictures = Pictures(checked.sample_faces, tracks_shown_of_bed(check), None if found else checked.still_bgr)
        return self._keep(job, check, pictures, place, checked.pending)

    def _references(self, patient: Patient | None, asked_s: float) -> References:
        if patient is None:
            return References(None)
        return self._box.references.references_for(patient.psn_no, from_seconds(asked_s))

    def _stopped(self, job: BedJob, asked: BedAsked, place: CameraPlace, why: Reason, *remarks: str) -> CheckDone:
        """A check for which nothing counts that was seen. Where footage is there, a reviewer still gets the clip."""
        check = stopped_bed_check(asked, place.ring, self._settings(place), why)
        done = self._keep(job, check, Pictures(), place)
        return CheckDone(job.job_id, done.check, done.files, (*remarks, *done.remarks))

    def _keep(
        self,
        job: BedJob,
        check: BedCheck,
        pictures: Pictures,
        place: CameraPlace,
        pending: PendingSamples | None = None,
    ) -> CheckDone:
        leaves = self._box.config.keep.leaves_for_bed(check.verdict)
        private = UprightFaces(place.zones)
        return self._box.keeper.keep(job.job_id, check, leaves, pictures, place.ring, place.camera.id, private, pending)
