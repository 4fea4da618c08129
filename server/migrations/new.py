"""For engineers: ``python -m server.migrations.new "what changes"`` writes a revision from the tables' classes.

What it writes is read and put right by hand before it is kept; data is moved by statements of the revision's own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from server.database import Database
from server.migrations.running import config_of, migrate, newest_revision


def write_revision(message: str) -> None:
    """Compare the tables with what the revisions make of an empty SQLite database, and write the difference."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.sqlite'}")
        if newest_revision() is not None:
            migrate(database)
        command.revision(config_of(database), message, autogenerate=True)
        database.close()


if __name__ == "__main__":
    write_revision(" ".join(sys.argv[1:]))
