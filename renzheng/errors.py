"""The one error base of the house; every package's own errors derive from it.

An error that reaches the command line is printed as its message alone, without a traceback, and the command
leaves with ``exit_code``.
"""

from __future__ import annotations


class RenzhengError(Exception):
    """Something a person can put right; the message names the file, line or field and what was expected."""

    exit_code = 2


class BadInput(RenzhengError):
    """A file, row, field or option that was given does not say what it should."""


class MissingPart(RenzhengError):
    """A library, program or weights file that the asked-for work needs is not installed."""

    exit_code = 3


class StorageFull(RenzhengError):
    """A file could not be written because the disk has no room; what was written before is intact."""

    exit_code = 4
