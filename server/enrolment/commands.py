"""``renzheng server enrol-many`` and ``re-enrol``."""

from __future__ import annotations

import csv
import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from renzheng.errors import BadInput
from renzheng.files import write_atomic

if TYPE_CHECKING:
    from rich.progress import Progress

    from server.context import Server
    from server.enrolment.messages import RowReport
    from server.enrolment.re_enrol import PhotoAnew
    from server.enrolment.service import Enroller, Given

REFUSED = 1
"""Exit code when rows or photos were refused, or the work was broken off."""

SHOWN_MAX = 50


def add_commands(app: typer.Typer) -> None:
    """Have the commands of this room in ``renzheng server``."""
    app.command("enrol-many")(enrol_many)
    app.command("re-enrol")(re_enrol)


def enrol_many(
    table: Annotated[Path, typer.Argument(help="CSV or .xlsx with psn_no, psn_name, insuplc_admdvs, ...")],
    photos: Annotated[Path, typer.Argument(help="folder or zip of <psn_no>.jpg, <psn_no>_2.jpg, ...")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="keep nothing but the report")] = False,
    user: Annotated[str | None, typer.Option(help="login of the enroller; without it the server itself")] = None,
    report: Annotated[Path | None, typer.Option(help="write the report of all rows to this CSV file")] = None,
) -> None:
    """Enrol everybody of a table, each row whole or not at all; run again to go on. 批量建档"""
    from server.enrolment import service

    with _server() as server, ExitStack() as files:
        given = _given(table, photos, files)
        enroller = _enroller(server, user)
        with server.database.transaction() as session:
            order_id = service.open_order(session, server, given, enroller, dry_run=dry_run).id
        with _until_stopped() as stop, _progress() as progress:
            task = progress.add_task("rows", total=len(given.sheet.rows))
            done = service.work_on(server, order_id, given, enroller, stop, lambda _outcome: progress.advance(task))
        whole = _tell(server, order_id, given, report)
    if not done:
        print("broken off; run the same command again and it goes on")
    if not (done and whole):
        raise typer.Exit(REFUSED)


def _given(table: Path, photos: Path, files: ExitStack) -> Given:
    """The files of the command line; a zip stays open as long as the stack."""
    from server.enrolment.people_table import TABLE_BYTES_MAX, read_sheet
    from server.enrolment.photo_sources import photos_of_folder, photos_of_zip
    from server.enrolment.service import Given

    try:
        with table.open("rb") as stream:
            sheet = read_sheet(stream.read(TABLE_BYTES_MAX + 1))
        found = photos_of_folder(photos) if photos.is_dir() else photos_of_zip(files.enter_context(photos.open("rb")))
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be read: {error.strerror}") from error
    return Given.of(sheet, found)


def _enroller(server: Server, login: str | None) -> Enroller:
    """Who acts. Raises :class:`BadInput` for a user who may not enrol."""
    from server.access import Subject
    from server.enrolment.service import ON_THE_COMMAND_LINE, Enroller
    from server.permissions import Permission
    from server.users.repository import user_of_login

    if login is None:
        return ON_THE_COMMAND_LINE
    with server.database.transaction(writes=False) as session:
        user = user_of_login(session, login)
    if user is None or user.disabled_at is not None:
        raise BadInput(f"--user: there is no user {login}")
    subject = Subject(user.id, user.login, user.display_name, user.role, user.district_code)
    if not subject.may(Permission.ENROL):
        raise BadInput(f"--user: the role of {login} does not allow enrolling")
    return Enroller.of(subject)


def _tell(server: Server, order_id: str, given: Given, report: Path | None) -> bool:
    """Print the figures and the rows that were refused; whether there was none."""
    from server.enrolment import repository, row_list, service
    from server.enrolment.messages import Outcome

    with server.database.transaction(writes=False) as session:
        outcomes = repository.outcomes_of(session, [order_id])[order_id]
        refused = repository.rows_after(session, order_id, 0, SHOWN_MAX, Outcome.REFUSED)
        for row in refused:
            for line in _in_words(service.row_told(row)):
                print(line)
        if report is not None:
            write_atomic(report, "".join(row_list.csv_of(session, order_id)))
    for outcome in Outcome:
        print(f"{outcome.value}: {outcomes.get(outcome, 0)}")
    if given.photos.unused:
        print(f"photos of nobody in the table 未用照片: {given.photos.unused}")
    return not outcomes.get(Outcome.REFUSED)


def _in_words(row: RowReport) -> Iterator[str]:
    for problem in row.problems:
        yield f"line {row.row}, {problem.field}: {problem.en} {problem.zh}"


def re_enrol(
    pack: Annotated[str, typer.Option(help="the new model pack")],
    retire_old: Annotated[bool, typer.Option("--retire-old", help="then take the old templates out of use")] = False,
    report: Annotated[Path | None, typer.Option(help="write the photos that gave no template to this CSV file")] = None,
) -> None:
    """Make templates of another pack from kept photos, beside the old ones; run again to go on. 换模型后重新建模"""
    from server.audit_log.service import SYSTEM
    from server.enrolment import re_enrol as anew

    with _server() as server, _until_stopped() as stop:
        failed: list[PhotoAnew] = []
        made, whole = 0, True
        with _progress() as progress:
            task = progress.add_task("photos", total=anew.photos_left(server, pack))
            for photo in anew.enrol_anew(server, pack, SYSTEM):
                progress.advance(task)
                made += not photo.reasons
                if photo.reasons:
                    failed.append(photo)
                if stop.is_set():
                    whole = False
                    break
        _tell_failed(failed, report)
        print(f"templates made: {made}; photos without: {len(failed)}")
        if not whole:
            print("broken off; run the same command again and it goes on")
        elif retire_old:
            print(f"old templates taken out of use: {anew.retire_old(server, pack, SYSTEM)}")
    if failed or not whole:
        raise typer.Exit(REFUSED)


def _tell_failed(failed: list[PhotoAnew], report: Path | None) -> None:
    from renzheng.contracts import REASON_WORDS

    lines = [
        (photo.photo_id, photo.owner_id, reason.value, REASON_WORDS[reason].zh, REASON_WORDS[reason].en)
        for photo in failed
        for reason in photo.reasons
    ]
    for photo_id, owner_id, _code, zh, en in lines[:SHOWN_MAX]:
        print(f"photo {photo_id} of {owner_id}: {en} {zh}")
    if len(lines) > SHOWN_MAX:
        print(f"and {len(lines) - SHOWN_MAX} more")
    if report is not None:
        text = io.StringIO()
        csv.writer(text).writerows([("photo_id", "owner_id", "code", "原因", "reason"), *lines])
        write_atomic(report, "\ufeff" + text.getvalue())


@contextmanager
def _server() -> Iterator[Server]:
    from server.context import Server
    from server.settings import server_settings

    server = Server.opened(server_settings())
    try:
        yield server
    finally:
        server.close()


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that is set when somebody stops the command, so that the row at hand is finished first."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
