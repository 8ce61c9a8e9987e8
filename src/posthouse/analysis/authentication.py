"""What the receiving side found about SPF, DKIM and DMARC, out of Authentication-Results (RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

METHODS = ("spf", "dkim", "dmarc")

_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"(?<![\w.-])(spf|dkim|dmarc)[ \t]*=[ \t]*([a-z]+)", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)


def verdicts(header: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Method to result (`pass`, `fail`, `softfail`, `none` …); a method that nobody checked is missing.

    The topmost field counts, since the last server wrote it. Of several DKIM signatures one that passes is enough.
    """
    found: dict[str, str] = {}
    for value in header.get("authentication-results", ()):
        for method, result in _of(value).items():
            found.setdefault(method, result)
    received_spf = header.get("received-spf", ("",))[0]
    if "spf" not in found and (word := _WORD.match(received_spf)):
        found["spf"] = word[0].lower()
    return {method: found[method] for method in METHODS if method in found}


def _of(value: str) -> dict[str, str]:
    results: dict[str, str] = {}
    for match in _RESULT.finditer(_COMMENT.sub(" ", value)):
        method, result = match[1].lower(), match[2].lower()
        if method not in results or (method == "dkim" and result == "pass"):
            results[method] = result
    return results
