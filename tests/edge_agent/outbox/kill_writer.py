"""Writes into a store until it is killed, saying what is durable as soon as it is. Run by ``test_kills.py``.

It stays alive itself and forks a writer for each line it reads, so that hundreds of kills need one start of Python:
``python -m tests.edge_agent.outbox.kill_writer FOLDER``; a line on stdin is ``ROUND LINES SECONDS``: the writer is
killed so long after it has said so many lines. What it said before goes to stdout.
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

SAYS = sys.stdout


def say(*words: str) -> None:
    """One write, so that no line is ever half there."""
    os.write(SAYS.fileno(), (" ".join(words) + "\n").encode())


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
            if turn % 3 == 2:
                send(outbox)
            if turn % 4 == 0:
                evidence.purge(NOON_S)


def finish(store: Store, folder: Path, setl_id: str) -> None:
    store.finish_swipe(done_swipe(folder, setl_id, Verdict.MISMATCH, kinds=("clip",), clip_bytes=100), "clip", NOON_S)
    say("finished", setl_id)


def send(outbox: Outbox) -> None:
    for kind in ("check", "clip"):
        items = outbox.lease(kind, 20, NOON_S, 10)
        outbox.acknowledge([item.id for item in items], NOON_S)
        for item in items:
            say(f"sent-{kind}", item.name)


def killed_after(folder: Path, number: int, lines: int, seconds: float) -> bytes:
    """What a writer said until it was killed."""
    ears, mouth = os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            os.dup2(mouth, SAYS.fileno())
            write(folder, number)
        finally:
            os._exit(1)
    os.close(mouth)
    said = b""
    with os.fdopen(ears, "rb") as stream:
        for _ in range(lines):
            said += stream.readline()
        time.sleep(seconds)
        os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
        said += stream.read()
    return said + (b"killed" if os.WIFSIGNALED(status) else b"died") + f" {number}\n".encode()


def main() -> None:
    for order in sys.stdin:
        number, lines, seconds = order.split()
        SAYS.buffer.write(killed_after(Path(sys.argv[1]), int(number), int(lines), float(seconds)))
        SAYS.flush()


if __name__ == "__main__":
    main()
