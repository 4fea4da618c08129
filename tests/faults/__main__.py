"""``make faults``: the fault campaign with its table of counts. Exit status 1 when anything was lost."""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path

from edge_agent.uplink.device import load_key
from renzheng.demo.footage import TownFiles, ensure_town
from renzheng.settings import settings
from tests.edge_agent.stand_in import StandInServer, free_port
from tests.faults.box import Box
from tests.faults.campaign import Campaign, Plan, Tally, fill
from tests.faults.line import Line
from tests.faults.review_server import ReviewServer
from tests.faults.truth import Findings, find

ENROL_TOKEN = "campaign"
CALM_S = 900.0
DISK_MIB = 700


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own for the box's data, small enough to be filled; false where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


async def run_campaign(
    plan: Plan, folder: Path, town: TownFiles, kind: type[StandInServer] = ReviewServer
) -> tuple[Campaign, Findings]:
    """One campaign in a folder, from the first start to the last delivery."""
    with small_disk(folder / "disk") as fillable, kind(folder / "server", enrol_token=ENROL_TOKEN) as server:
        line = Line(server.port)
        box = Box(folder, folder / "disk" / "box", free_port())
        box.configure(town, await line.start())
        enrol = ["edge", "enroll-device", server.url, ENROL_TOKEN, "--config", str(box.config)]
        subprocess.run([sys.executable, "-m", "renzheng", *enrol], check=True, capture_output=True)

        async def set_fault(kind: str | None) -> None:
            await asyncio.to_thread(server.fail, kind)

        campaign = Campaign(
            plan=plan,
            box=box,
            line=line,
            cards=[path.name for path in sorted(town.gallery.iterdir())],
            set_server_fault=set_fault,
            restart_server=partial(asyncio.to_thread, server.restart),
            fill_disk=partial(fill, folder / "disk") if fillable else None,
        )
        try:
            await campaign.run()
            await wait_until_sent(box)
            await asyncio.to_thread(box.stop)
        finally:
            box.end()
            await line.close()
        public_key = load_key(box.data / "device").public
        return campaign, await asyncio.to_thread(find, server, campaign.tally.acknowledged, public_key)


async def wait_until_sent(box: Box) -> None:
    """With every fault over, the box works off what it has."""
    until_s = time.monotonic() + CALM_S
    while time.monotonic() < until_s:
        await asyncio.sleep(2.0)
        waiting = await asyncio.to_thread(_waiting, box)
        if waiting == 0:
            return
    raise RuntimeError(f"{waiting} things still wait after {CALM_S:.0f} s of calm")


def _waiting(box: Box) -> int:
    """Open swipes and unsent checks and clips, read beside the agent; reports go on for ever."""
    open_swipes = "SELECT count(*) FROM swipes WHERE state = 'accepted'"
    unsent = "SELECT count(*) FROM outbox WHERE kind <> 'report' AND state <> 'acknowledged'"
    with closing(sqlite3.connect(f"file:{box.data / 'agent.sqlite'}?mode=ro", uri=True, timeout=10)) as store:
        return sum(int(store.execute(query).fetchone()[0]) for query in (open_swipes, unsent))


def show(plan: Plan, box: Box, line: Line, tally: Tally, findings: Findings, seconds: float) -> None:
    """The table of counts."""
    rows: list[tuple[str, object]] = [
        ("swipes acknowledged to terminals", len(tally.acknowledged)),
        ("SIGKILLs in all", sum(box.kills.values())),
        *((f"  of {how}", count) for how, count in box.kills.items()),
        ("starts of the agent", box.starts),
        ("network cuts", line.cuts),
        ("  connections torn", line.torn),
        ("server faults", sum(tally.server_faults.values())),
        ("  " + ", ".join(f"{kind} {count}" for kind, count in sorted(tally.server_faults.items())), ""),
        ("server killed and restarted", tally.server_kills),
        ("disk-full episodes", tally.disk_full if tally.disk_full else "0 (no small disk could be mounted)"),
        ("answers a terminal saw", ", ".join(f"{k} {n}" for k, n in tally.answers.most_common())),
        ("checks at the server", sum(findings.verdicts.values())),
        ("  " + ", ".join(f"{verdict} {count}" for verdict, count in findings.verdicts.most_common()), ""),
        ("deliveries that came again and were taken once", findings.repeated),
        ("clips at the server, signed and playing", findings.clips - len(findings.clips_bad)),
        ("MISSING checks", len(findings.missing)),
        ("checks nobody was acknowledged", len(findings.unknown)),
        ("checks that came twice or contradict", len(findings.contradicting)),
        ("MISSING clips", len(findings.clips_missing)),
        ("clips damaged, unsigned or of another check", len(findings.clips_bad)),
        ("seconds", round(seconds)),
    ]
    print(f"fault campaign, seed {plan.seed}")
    for what, count in rows:
        print(f"  {what:52} {count}")
    for wrong in (
        findings.missing,
        findings.unknown,
        findings.contradicting,
        findings.clips_missing,
        findings.clips_bad,
    ):
        for line_ in wrong[:10]:
            print(f"  ! {line_}")


def main() -> int:
    """Run it as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    for one in fields(Plan):
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), default=one.default)
    parser.add_argument("--stand-in", action="store_true", help="a small stand-in in place of the review server")
    parser.add_argument("--keep", type=Path, help="folder that stays, for a look afterwards")
    given = vars(parser.parse_args())
    keep = given.pop("keep")
    kind = StandInServer if given.pop("stand_in") else ReviewServer
    plan = Plan(**given)
    town = ensure_town(settings().cache_dir)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="renzheng-faults-") as name:
        folder = keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        campaign, findings = asyncio.run(run_campaign(plan, folder, town, kind))
    show(plan, campaign.box, campaign.line, campaign.tally, findings, time.monotonic() - began)
    whole = not findings.wrong and len(campaign.tally.acknowledged) == plan.swipes
    print("every acknowledged swipe arrived once and whole" if whole else "SOMETHING WAS LOST")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
