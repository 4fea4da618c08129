"""Finding people by exact values, through blind indexes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from server.access import Subject
from server.audit_log.service import Deed, record
from server.context import Server
from server.people import repository
from server.people.messages import PersonSearch
from server.tables import InsuredPerson

NAMESAKES_MAX = 200


def find_people(session: Session, server: Server, subject: Subject, asked: PersonSearch) -> Sequence[InsuredPerson]:
    """People of the subject's district. What was searched for is in no log."""
    found, by = _found(session, server, subject, asked)
    told = {"by": by, "found": len(found)}
    for person in found:
        record(session, Deed(subject.actor, "person_found", "person", person.id, asked.purpose, person.district_code))
    record(session, Deed(subject.actor, "people_searched", "person", "", asked.purpose, subject.district_code, told))
    return found


def _found(
    session: Session, server: Server, subject: Subject, asked: PersonSearch
) -> tuple[Sequence[InsuredPerson], str]:
    if asked.psn_name is not None:
        index = server.keys.blind_index("psn_name", asked.psn_name)
        return repository.people_named(session, subject.scope, index, NAMESAKES_MAX), "psn_name"
    if asked.certno is not None:
        index, by = server.keys.blind_index("certno", asked.certno.upper()), "certno"
        person = repository.person_with_certno(session, index)
    else:
        person, by = repository.person_numbered(session, asked.psn_no or ""), "psn_no"
    return [person] if person is not None and subject.sees(person.district_code) else [], by
