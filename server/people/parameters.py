"""What several routes about people take and answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Query, UploadFile

from server.access import Needs, Subject
from server.people.messages import RefusedPhoto
from server.permissions import Permission
from server.problems import Problem

Seeing = Annotated[Subject, Depends(Needs(Permission.SEE_PEOPLE))]
Enrolling = Annotated[Subject, Depends(Needs(Permission.ENROL))]
Erasing = Annotated[Subject, Depends(Needs(Permission.ERASE))]
SeeingFaces = Annotated[Subject, Depends(Needs(Permission.SEE_FACES))]

Id = Annotated[str, Path(pattern="^[0-9A-Za-z_-]{1,64}$")]
After = Annotated[str, Query(pattern="^[0-9a-f]{0,32}$", description="id of the last one of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]
Photo = Annotated[UploadFile, "the picture file"]

Answers = dict[int | str, dict[str, Any]]
NOT_FOUND: Answers = {404: {"model": Problem, "description": "there is no such thing in your district"}}
CONFLICT: Answers = {409: {"model": Problem, "description": "it contradicts what is there"}}
HELD: Answers = {409: {"model": Problem, "description": "a legal hold keeps it; the sentence names the hold"}}
REFUSED: Answers = {
    413: {"model": Problem, "description": "the photo is too large"},
    422: {"model": RefusedPhoto, "description": "the photo will not do; the reasons say why in both languages"},
}
