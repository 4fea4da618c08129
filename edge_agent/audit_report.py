"""What the audit knows of its inputs, as the report wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import renzheng
from edge_agent.audit_inputs import Inputs
from edge_agent.audit_journal import Finished
from edge_agent.people_folder import PeopleFolder
from edge_agent.report import RecordingFact, RefusedPhoto, ReportFacts
from models.licences import pack_licence
from renzheng.clock import from_seconds
from renzheng.contracts import FLAGGED, Verdict

MANY_FLAGGED = 3
"""With fewer flagged swipes, more than half of them says nothing."""
_UNCLEAR = (Verdict.NOT_ASSESSABLE, Verdict.NOT_ENROLLED)


def facts_of(inputs: Inputs, finished: Sequence[Finished], portraits: Mapping[str, Path]) -> ReportFacts:
    """The report's facts: recordings, thresholds, what was refused and left out."""
    plan, table = inputs.plan, inputs.table
    first = finished[0].check
    refusals = sorted({refusal for done in finished for refusal in done.refusals})
    used = {swipe.psn_no for swipe in inputs.swipes}
    return ReportFacts(
        title=inputs.title,
        institutions=tuple(sorted({swipe.fixmedins_code for swipe in inputs.swipes})),
        recordings=tuple(
            RecordingFact(r.path.name, from_seconds(r.start_s), from_seconds(r.end_s), r.duration_s)
            for r in plan.recordings
        ),
        before_s=plan.before_s,
        after_s=plan.after_s,
        clock_offset_s=plan.clock_offset_s,
        thresholds=first.thresholds,
        pack=first.pack,
        licences=(pack_licence(plan.pack).summary,),
        refused_photos=tuple(RefusedPhoto(r.person_id, r.path.name, reason) for r in refusals for reason in r.reasons),
        unused_people=len(set(PeopleFolder(plan.gallery).person_ids()) - used),
        bad_rows=tuple(map(str, table.bad_rows)),
        warnings=warnings_of(inputs, finished),
        enrolled={psn_no: path for psn_no, path in portraits.items() if path.is_file()},
        platform_fields={swipe.setl_id: swipe.platform_fields for swipe in inputs.swipes},
        agent_version=renzheng.__version__,
    )


def warnings_of(inputs: Inputs, finished: Sequence[Finished]) -> tuple[str, ...]:
    """Everything a person should know before relying on the verdicts, in order of weight, each once."""
    remarks = (f"{r.path.name}: {remark}" for r in inputs.plan.recordings for remark in r.remarks)
    cautions = (*_mostly_flagged([done.check.verdict for done in finished]), *_no_staff_photo(inputs, finished))
    warnings = (*cautions, *inputs.cautions, *remarks, *(warning for done in finished for warning in done.warnings))
    return tuple(dict.fromkeys(warnings))


def _mostly_flagged(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """What to say when so many swipes are flagged that the settings are likelier wrong than the people."""
    judged = sum(verdict not in _UNCLEAR for verdict in verdicts)
    flagged = sum(verdict in FLAGGED for verdict in verdicts)
    if flagged < MANY_FLAGGED or 2 * flagged <= judged:
        return ()
    return (
        f"more than half of the swipes that could be judged ({flagged} of {judged}) are flagged: check the clock "
        "offset and the zones before relying on any of them",
    )


def _no_staff_photo(inputs: Inputs, finished: Sequence[Finished]) -> tuple[str, ...]:
    """What to say when staff were to be known by their photos and none of the photos will do."""
    if inputs.plan.staff is None:
        return ()
    folder = PeopleFolder(inputs.plan.staff)
    photos = {photo for staff_id in folder.person_ids() for photo in folder.photos(staff_id)}
    if not photos <= {refusal.path for done in finished for refusal in done.refusals}:
        return ()
    return (
        "--staff was given, but no photo of the staff passed the quality gate: a clerk's face counts as a customer's",
    )
