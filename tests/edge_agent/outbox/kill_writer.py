"""Writes into a store until it is killed, saying what is durable as soon as it is. Run by ``test_kills.py``.

It stays alive itself and forks a writer for each line it reads, so that hundreds of kills need one start of Python:
``python -m tests.edge_agent.outbox.kill_writer FOLDER``; a line on stdin is ``ROUND SECONDS``, after which it is
killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from edge_agent.edge_config import KeepConfig
from edge_agent.outbox.evidence import Evidence
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store
from renzheng.contracts import Verdict
from tests.edge_agent.outbox.builders import NOON_S, a_swipe, done_swipe


def say(*words: str) -> None:
    """One write, so that no line is ever half there."""
    os.write(sys.stdout.fileno(), (" ".join(words) + "\n").encode())


def write(folder: Path, number: int) -> None:
    """Swipes in, checks finished, sent, purged, for ever."""
    with Store(folder / "agent.sqlite") as store:
        outbox = Outbox(store)
        evidence = Evidence(store, folder / "evidence", KeepConfig(acknowledged_hours=0))
        evidence.clean_up()
        for record in store.open_swipes():
            finish(store, folder, record.setl_id)
        turn = 0
        while True:
            turn += 1
            setl_id = f"S{number}-{turn}"
            if store.accept(a_swipe(setl_id), "http", NOON_S, clock_doubt=False).state == "new":
                say("accepted", setl_id)
            store.begin_attempt(setl_id)
            if turn % 3:
                finish(store, folder, setl_id)
            if turn % 5 == 0:
                send(outbox)
            if turn % 20 == 0:
                evidence.purge(NOON_S)


def finish(store: Store, folder: Path, setl_id: str) -> None:
    store.finish_swipe(done_swipe(folder, setl_id, Verdict.MISMATCH, kinds=("clip",), clip_bytes=100), "clip", NOON_S)
    say("finished", setl_id)


def send(outbox: Outbox) -> None:
    for kind in ("check", "clip"):
        items = outbox.lease(kind, 4, NOON_S, 10)
        outbox.acknowledge([item.id for item in items], NOON_S)
        for item in items:
            say(f"sent-{kind}", item.name)


def main() -> None:
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        number, seconds = line.split()
        writer = os.fork()
        if writer == 0:
            try:
                write(folder, int(number))
            finally:
                os._exit(1)
        time.sleep(float(seconds))
        os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
        say("killed" if os.WIFSIGNALED(status) else "died", number)


if __name__ == "__main__":
    main()
