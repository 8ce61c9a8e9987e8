"""Which errors are the user's to mend, and what to tell him. Imported only when something has gone wrong."""

from __future__ import annotations

import errno

from posthouse.admin import AdminError
from posthouse.net.certificates import CertificateError
from posthouse.probe.rehearsal import RehearsalError
from posthouse.relay.house import StartError
from posthouse.settings import SettingsError
from posthouse.spool import SpoolError

_IN_LINES = (AdminError, SettingsError)
_IN_ONE_LINE = (CertificateError, RehearsalError, SpoolError, StartError)
_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def lines_for_user(error: Exception) -> tuple[str, ...]:
    """One line a problem. Empty for an error of our own making, which deserves its traceback."""
    if isinstance(error, _IN_LINES):
        return error.lines
    if isinstance(error, _IN_ONE_LINE):
        return (str(error),)
    if isinstance(error, OSError) and error.filename:
        return (f"{error.filename}: {error.strerror}",)
    if isinstance(error, OSError) and error.errno in _UNWRITTEN:
        return (f"not all of the output could be written: {error.strerror}",)
    return ()
