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
        bad_rows=tuple(map(str, (*table.bad_rows, *inputs.agents.bad_rows))),
        warnings=warnings_of(inputs, finished),
        enrolled={psn_no: path for psn_no, path in portraits.items() if path.is_file()},
        platform_fields={swipe.setl_id: swipe.platform_fields for swipe in inputs.swipes},
        agent_version=renzheng.__version__,
    )


def warnings_of(inputs: Inputs, finished: Sequence[Finished]) -> tuple[str, ...]:
    """Everything a person should know before relying on the verdicts, in order of weight."""
    remarks = (f"{r.path.name}: {remark}" for r in inputs.plan.recordings for remark in r.remarks)
    return (*inputs.cautions, *remarks, *(warning for done in finished for warning in done.warnings))
