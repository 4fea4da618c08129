"""Invented settlements of a city, as its insurer would export them: as many as wanted, in bounded memory."""

from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

from renzheng.clock import SHANGHAI, local_text

HEAD = (
    *("setl_id", "medins_setl_id", "mdtrt_id", "psn_no", "psn_name", "fixmedins_code", "terminal_id", "setl_time"),
    *("insutype", "med_type", "mdtrt_cert_type", "mdtrt_cert_no", "card_sn", "medfee_sumamt", "fund_pay_sumamt"),
    *("acct_pay", "acct_mulaid_pay", "psn_cash_pay", "invono", "opter", "opter_name"),
)
INSTITUTIONS = 500
FIRST = datetime(2026, 5, 1, tzinfo=SHANGHAI)
DAYS = 30
_NAMES = ("王小明", "李芳", "张伟", "刘洋", "陈静", "杨磊", "黄娜", "周强")


def institution_codes() -> list[str]:
    """Codes of the city's institutions."""
    return [f"P330281{number:05d}" for number in range(1, INSTITUTIONS + 1)]


def write_settlements(path: Path, count: int, seed: int = 7) -> None:
    """A CSV file of so many settlements within thirty days, in the order of their numbers."""
    chance = random.Random(seed)
    codes = institution_codes()
    persons = max(1000, count // 8)
    seconds = DAYS * 86_400 / count
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEAD)
        for number in range(count):
            writer.writerow(_row(number, chance, codes, persons, FIRST + timedelta(seconds=number * seconds)))


def _row(number: int, chance: random.Random, codes: list[str], persons: int, moment: datetime) -> tuple[str, ...]:
    person = chance.randrange(persons)
    total = chance.randrange(500, 40_000)
    fund = total * 6 // 10
    account = (total - fund) // 2
    cash = total - fund - account
    return (
        f"3302810000{number:012d}",
        f"Y{number:014d}",
        f"3302810001{number:012d}",
        f"33028100000000{person:08d}",
        chance.choice(_NAMES),
        chance.choice(codes),
        f"T{chance.randrange(1, 4)}",
        local_text(moment),
        "310",
        "41",
        "03",
        f"3302{person:014d}",
        f"{person * 2_654_435_761 % 2**64:016X}",
        _yuan(total),
        _yuan(fund),
        _yuan(account),
        "0.00",
        _yuan(cash),
        f"{number:020d}",
        f"opter{chance.randrange(40):02d}",
        chance.choice(_NAMES),
    )


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
