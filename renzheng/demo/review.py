"""The demo's review server: set up over its API as by an operator, fed by the demo's boxes, joined with settlements."""

from __future__ import annotations

import csv
import io
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renzheng.clock import local_text
from renzheng.demo.town import AGENTS, ENROLLED, INSTITUTION, PEOPLE, TERMINAL, TruthRow, truth
from renzheng.demo.ward import HOSPITAL
from renzheng.errors import RenzhengError
from renzheng.files import make_private, write_atomic

if TYPE_CHECKING:
    import httpx
    import uvicorn

    from renzheng.demo.boxes import DemoBox
    from renzheng.demo.footage import TownFiles
    from server.context import Server
    from server.permissions import Role

DISTRICT = "330281"
SINCE = "2026-01-01T00:00:00+08:00"
BASIS_VERSION = "demo-1"
START_LIMIT_S = 30.0

_OWN_NUMBER = (1, 2)
"""Swipes that the box knew by the terminal's own number: the insurer's settlement bears another."""

_NEVER_SETTLED = 11
_LATE_S = 3.0


class DemoServer:
    """A review server on loopback. Its users' passwords are made at random and written nowhere."""

    def __init__(self, url: str, admin: httpx.Client, enroller: httpx.Client, reviewer: httpx.Client) -> None:
        self.url = url
        self._admin, self._enroller, self._reviewer = admin, enroller, reviewer

    def add_places(self) -> None:
        """The district, the pharmacy and the hospital."""
        _checked(self._admin.put(f"/v1/districts/{DISTRICT}", json={"name": "余姚市"}))
        for code, name, kind in ((INSTITUTION, "余姚人民大药房（演示）", "2"), (HOSPITAL, "余姚演示医院", "1")):
            facts = {"fixmedins_name": name, "fixmedins_type": kind, "district_code": DISTRICT, "fixmedins_code": code}
            self._post(self._admin, "/v1/institutions", facts)

    def add_people(self, town: TownFiles) -> int:
        """Everybody of the town with their photos, agents and clerks; how many photos were enrolled."""
        purposes = ("identity_check", "bed_check", "agent_check")
        ids, photos = {}, 0
        for who in ENROLLED:
            psn_no, name = PEOPLE[who].psn_no, PEOPLE[who].name
            fields = {"psn_no": psn_no, "psn_name": name, "insuplc_admdvs": DISTRICT, "brdy": "1970-01-01"}
            ids[who] = self._post(self._enroller, "/v1/people", fields)["id"]
            for purpose in purposes:
                basis = {"purpose": purpose, "basis": "consent", "version": BASIS_VERSION, "given_at": SINCE}
                self._post(self._enroller, f"/v1/people/{ids[who]}/bases", basis)
            photos += self._add_photos(f"/v1/people/{ids[who]}/photos", town.gallery / psn_no)
        for holder, agent, since, until in AGENTS:
            approval = {
                "agent_psn_no": PEOPLE[agent].psn_no,
                "relation": "家属",
                "valid_from": f"{since}T00:00:00+08:00",
                "valid_to": f"{until}T23:59:59+08:00",
            }
            self._post(self._enroller, f"/v1/people/{ids[holder]}/agents", approval)
        for folder in sorted(path for path in town.staff.iterdir() if path.is_dir()):
            fields = {"staff_no": folder.name, "name": PEOPLE["clerk"].name, "basis_version": BASIS_VERSION}
            clerk = self._post(self._enroller, f"/v1/institutions/{self._institution(INSTITUTION)}/staff", fields)
            photos += self._add_photos(f"/v1/staff/{clerk['id']}/photos", folder)
        return photos

    def _add_photos(self, address: str, folder: Path) -> int:
        photos = sorted(folder.glob("*.jpg"))
        for photo in photos:
            files = {"photo": (photo.name, photo.read_bytes(), "image/jpeg")}
            _checked(self._enroller.post(address, files=files))
        return len(photos)

    def enrol(self, box: DemoBox) -> None:
        """Make a box known to the server, with a token as an operator gets it."""
        from edge_agent.edge_config import BoxFolders
        from edge_agent.uplink.device import enrol_device

        shutil.rmtree(box.data_dir, ignore_errors=True)
        address = f"/v1/institutions/{self._institution(box.institution)}/devices"
        token = self._post(self._admin, address, {"label": box.camera})["enrolment_token"]
        enrol_device(self.url, token, BoxFolders(box.data_dir).device, fixmedins_code=box.institution)

    def verdicts(self) -> dict[str, str]:
        """The verdict of every check of a swipe that the server has, by the swipe's number."""
        return {check["setl_id"]: check["verdict"] for check in self._checks("swipe")}

    def bed_verdicts(self) -> dict[str, str]:
        """The same of the beds."""
        return {check["bed_id"]: check["verdict"] for check in self._checks("bed")}

    def clips(self) -> int:
        """How many clips were taken, each with the digest that its box signed."""
        checks = [*self._checks("swipe"), *self._checks("bed")]
        shown = (_checked(self._reviewer.get(f"/v1/checks/{check['id']}")) for check in checks)
        return sum(1 for check in shown if check["clip"])

    def import_settlements(self, path: Path) -> Mapping[str, Any]:
        """Import a table; what became of its rows."""
        files = {"file": (path.name, path.read_bytes(), "text/csv")}
        return _checked(self._admin.post("/v1/settlement-imports", data={"kind": "settlements"}, files=files))

    def join(self) -> Mapping[str, Any]:
        """Join, and the figures of the demo's day."""
        self._post(self._admin, "/v1/join-runs", {})
        day = {"since": "2026-05-01T00:00:00+08:00", "until": "2026-05-02T00:00:00+08:00"}
        return _checked(self._admin.get("/v1/join-figures", params=day))

    def _checks(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = _checked(self._reviewer.get("/v1/checks", params={"kind": kind}))["checks"]
        return found

    def _institution(self, fixmedins_code: str) -> str:
        for place in _checked(self._admin.get("/v1/institutions"))["institutions"]:
            if place["fixmedins_code"] == fixmedins_code:
                return str(place["id"])
        raise RenzhengError(f"{fixmedins_code} is not at the demo's server")

    @staticmethod
    def _post(client: httpx.Client, address: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return _checked(client.post(address, json=dict(body)))


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise RenzhengError(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
    told: dict[str, Any] = answer.json()
    return told


@contextmanager
def demo_server(folder: Path) -> Iterator[DemoServer]:
    """A new server in a folder; what an earlier demo left there goes. It ends with the block, its data stay."""
    import httpx
    import uvicorn

    from server.app import create_app
    from server.context import Server
    from server.key_ring import KeyRing
    from server.migrations.running import migrate
    from server.permissions import Role
    from server.settings import ServerSettings

    shutil.rmtree(folder, ignore_errors=True)
    make_private(folder)
    keys = KeyRing.made().text()
    write_atomic(folder / "keys.json", keys)
    (folder / "keys.json").chmod(0o600)
    server = Server.opened(ServerSettings(data_dir=folder, key_ring=keys, cookie_secure=False))
    migrate(server.database)
    logins = {role: _make_user(server, role) for role in (Role.ADMIN, Role.ENROLLER, Role.REVIEWER)}
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving = uvicorn.Server(uvicorn.Config(create_app(server), log_level="error", access_log=False))
        thread = threading.Thread(target=serving.run, args=([listening],), name="demo-server", daemon=True)
        thread.start()
        try:
            _wait_for(serving, thread)
            with (
                httpx.Client(base_url=url, trust_env=False, timeout=60) as admin,
                httpx.Client(base_url=url, trust_env=False, timeout=60) as enroller,
                httpx.Client(base_url=url, trust_env=False, timeout=60) as reviewer,
            ):
                clients = {Role.ADMIN: admin, Role.ENROLLER: enroller, Role.REVIEWER: reviewer}
                for role, client in clients.items():
                    me = _checked(client.post("/v1/login", json=logins[role]))
                    client.headers["X-CSRF-Token"] = me["csrf_token"]
                yield DemoServer(url, admin, enroller, reviewer)
        finally:
            serving.should_exit = True
            thread.join(START_LIMIT_S)


def _make_user(server: Server, role: Role) -> dict[str, str]:
    """A user of the demo's district, with a password made at random that nobody is told."""
    from server.audit_log.service import SYSTEM
    from server.users import passwords, service

    login, password = f"demo-{role.value}", secrets.token_urlsafe(24)
    with server.database.transaction() as session:
        service.add_user(session, SYSTEM, login, login, role, None, passwords.hash_of(password), expired=False)
    return {"login": login, "password": password}


def _wait_for(serving: uvicorn.Server, thread: threading.Thread) -> None:
    until_s = time.monotonic() + START_LIMIT_S
    while not serving.started:
        if time.monotonic() > until_s or not thread.is_alive():
            raise RenzhengError("the demo's server did not start")
        time.sleep(0.05)


def write_settlements(path: Path) -> None:
    """The insurer's table of the day, under the platform's names: most swipes, and what does not fit them.

    Two settlements bear another number than their swipe, one swipe was never settled, and one settlement has no swipe.
    """
    rows = truth()
    settled = [_settlement(n, row) for n, row in enumerate(rows) if n != _NEVER_SETTLED]
    alone = {**_settlement(_OWN_NUMBER[0], rows[0]), "setl_id": "90000000000000000001"}
    alone["setl_time"] = local_text(rows[0].swiped_at + timedelta(hours=2))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(alone), lineterminator="\n")
    writer.writeheader()
    writer.writerows([*settled, alone])
    write_atomic(path, text.getvalue())


def _settlement(number: int, row: TruthRow) -> dict[str, str]:
    """One purchase, paid from the personal account."""
    other = number in _OWN_NUMBER
    amount = f"{38 + 7 * number}.50"
    return {
        "setl_id": f"8{row.setl_id[1:]}" if other else row.setl_id,
        "psn_no": row.psn_no,
        "fixmedins_code": INSTITUTION,
        "terminal_id": TERMINAL,
        "setl_time": local_text(row.swiped_at + timedelta(seconds=_LATE_S if other else 0)),
        "med_type": "41",
        "medfee_sumamt": amount,
        "acct_pay": amount,
        "fund_pay_sumamt": "0.00",
        "acct_mulaid_pay": "0.00",
        "psn_cash_pay": "0.00",
    }
