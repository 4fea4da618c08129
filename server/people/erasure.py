"""Erasure: what was kept of a person goes, and a certificate says how much of it there was.

Gone are the person with names and numbers, legal bases, approvals, photos, templates, and of their checks every
picture, sample and clip. A check itself stays, with its verdict and :data:`ERASED` where the number was: how an
institution was checked is the agency's record, and whom it was about is no longer in it. Settlements, reversals and
stays keep the pool's number: they are the fund's accounts, which the agency must keep, and hold neither name nor face;
which credential was used, which may be the identity card, goes. The audit log names the person by an id that leads
nowhere. What boxes still hold ends with its time: templates after ``template_minutes``, checks that come later have a
number that nobody is enrolled under.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from renzheng.contracts import BedVerdict, Reason, Verdict
from renzheng.ids import new_id
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.people import repository
from server.people.removal import checks_as_agent, names_agent_in, refuse_held, remove_photos, waits_for_agents
from server.tables import Check, CheckPiece, Clip, DeletionCertificate, InsuredPerson, StaffMember

ERASED = "erased"
_EVIDENCE = ("sealed_samples", "still", "clip")
_DECIDED_NOW = {
    "swipe": (Verdict.NOT_ENROLLED.value, Verdict.PENDING_REFERENCE.value),
    "bed": (BedVerdict.NOT_ASSESSABLE.value, BedVerdict.PENDING_REFERENCE.value),
}


def erase_person(
    session: Session, server: Server, person: InsuredPerson, why: str, actor: Actor
) -> DeletionCertificate:
    """Erase somebody; flushed, not committed. Bytes in the store are gone when this returns, rows with the commit.

    Raises :class:`server.errors.Conflict` under a legal hold.
    """
    repository.overwrite_deleted(session)
    repository.lock(session, person)
    refuse_held(session, person)
    counts: Counter[str] = Counter()
    for check in checks_as_agent(session, person, locked=True):
        _strip(session, server, check, person.psn_no, counts)
    for check in repository.checks_of(session, person.psn_no):
        _strip(session, server, check, None, counts)
        check.psn_no = None
    counts["legal_bases"] = len(repository.bases(session, person.id))
    counts["agent_approvals"] = repository.approvals_with(session, person.id)
    counts["templates"] = len(repository.all_templates(session, person))
    counts["credentials"] = repository.forget_credentials(session, person.psn_no)
    counts["photos"] = remove_photos(session, server, person)
    repository.unlink_bulk_rows(session, person.id)
    session.delete(person)
    session.flush()
    subject_index = server.keys.blind_index("psn_no", person.psn_no)
    certificate = _certify(session, "erasure", subject_index, person.district_code, counts, why, actor)
    told = {**counts, "certificate": certificate.id}
    record(session, Deed(actor, "person_erased", "person", person.id, why[:200], person.district_code, told))
    return certificate


def erase_staff(session: Session, server: Server, member: StaffMember, why: str, actor: Actor) -> DeletionCertificate:
    """Erase a member of staff: name, photos and templates. Checks keep the institution's own staff number.

    Raises :class:`server.errors.Conflict` while a legal hold is on the institution.
    """
    repository.overwrite_deleted(session)
    repository.lock(session, member)
    refuse_held(session, member)
    district = member.institution.district_code
    counts: Counter[str] = Counter(templates=len(repository.all_templates(session, member)))
    counts["photos"] = remove_photos(session, server, member)
    session.delete(member)
    session.flush()
    subject_index = server.keys.blind_index("staff", member.id)
    certificate = _certify(session, "staff_erasure", subject_index, district, counts, why, actor)
    told = {**counts, "certificate": certificate.id}
    record(session, Deed(actor, "staff_erased", "staff", member.id, why[:200], district, told))
    return certificate


def _certify(
    session: Session,
    kind: str,
    subject_index: str,
    district_code: str,
    counts: Counter[str],
    why: str,
    actor: Actor,
) -> DeletionCertificate:
    certificate = DeletionCertificate(
        id=new_id(),
        kind=kind,
        subject_index=subject_index,
        district_code=district_code,
        counts=dict(counts),
        why=why,
        made_by=actor.id,
        made_at=datetime.now(UTC),
    )
    session.add(certificate)
    session.flush()
    return certificate


def is_erased(check: Check) -> bool:
    """Whether somebody whom a check was about was erased, so that nothing may be added to it that shows them."""
    told = [check.body, check.decided or {}]
    return check.body.get("psn_no") == ERASED or any(names_agent_in(one, ERASED) for one in told)


def _strip(session: Session, server: Server, check: Check, agent_psn_no: str | None, counts: Counter[str]) -> None:
    """Take the evidence of a check, and from its body one agent's number, or the holder's with all agents'."""
    pieces, clip = repository.pieces_of(session, check), repository.clip_of(session, check)
    gone: list[CheckPiece | Clip] = [*pieces, clip] if clip is not None else [*pieces]
    for one in gone:
        session.delete(one)
    session.flush()
    for one in gone:
        server.store.delete(one.store_key)
    counts.update(checks=1, pieces=len(pieces), clips=int(clip is not None))
    check.clip_due = False
    check.body = _without_person(check.body, agent_psn_no)
    if check.decided is not None:
        check.decided = _without_person(check.decided, agent_psn_no)
    elif agent_psn_no is None:
        _decide_now(check)
    elif waits_for_agents(check):  # compared without them, they would be a stranger
        _keep_decision(check, Verdict.NOT_ASSESSABLE.value, Reason.AGENT_WITHOUT_PHOTO)
    session.flush()


def _without_person(body: dict[str, Any], agent_psn_no: str | None) -> dict[str, Any]:
    """The contract of a check without its pictures and without whom it was about; it still reads as that contract."""
    stripped = {**body, **{name: None for name in _EVIDENCE if name in body}}
    stripped["samples"] = [{**sample, "crop": None} for sample in body.get("samples", [])]
    stripped["tracks"] = [_without_agent(track, agent_psn_no) for track in body.get("tracks", [])]
    if agent_psn_no is None:
        stripped["psn_no"] = ERASED
        if "ipt_no" in body:
            stripped["ipt_no"] = None
    return stripped


def _without_agent(track: dict[str, Any], agent_psn_no: str | None) -> dict[str, Any]:
    named = track.get("agent_psn_no")
    if named is None or (agent_psn_no is not None and named != agent_psn_no):
        return track
    return {**track, "agent_psn_no": ERASED}


def _decide_now(check: Check) -> None:
    """A check that waited for templates will never be compared: nobody of that number is enrolled."""
    verdict, waiting = _DECIDED_NOW.get(check.kind, _DECIDED_NOW["swipe"])
    if check.verdict == waiting:
        _keep_decision(check, verdict, Reason.PERSON_UNKNOWN)


def _keep_decision(check: Check, verdict: str, why: Reason) -> None:
    check.verdict, check.reasons = verdict, [why.value]
    check.decided = {**check.body, "verdict": check.verdict, "reasons": check.reasons}
    check.decided_at = datetime.now(UTC)
