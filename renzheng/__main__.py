"""``renzheng`` and ``python -m renzheng``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a :class:`RenzhengError` is printed as its message and sets the exit status."""
    from renzheng.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
