"""What became of the rows of an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from renzheng.tables.rows import BadRow
from server.settlements.kinds import ImportWarning

PROBLEMS_KEPT: int = 10_000
"""So many problems of an import are kept, about 2 MB; the rejected rows are counted to the last."""


@dataclass
class Tally:
    """Counts of rows, and the problems that were not written to the database yet."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    problems: list[BadRow] = field(default_factory=list)
    problems_kept: int = 0

    @property
    def taken(self) -> int:
        """Rows that are in the database now."""
        return self.added + self.changed + self.unchanged

    def reject(self, problems: Iterable[BadRow]) -> None:
        """Count one row as rejected."""
        self.rejected += 1
        room = PROBLEMS_KEPT - self.problems_kept - len(self.problems)
        self.problems += list(problems)[: max(0, room)]

    def warn(self, warning: ImportWarning, count: int = 1) -> None:
        """Count something odd."""
        self.warnings[warning.value] += count
