"""Wildcards (about_Wildcards) and regular expressions (about_Regular_Expressions).

A wildcard pattern takes time in proportion to text and pattern. A regular expression may take exponential time: it runs
within `limits.Budget.in_time`.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from posthouse.cmdlets.errors import PSError

_REPEAT = re.compile(r"[*+{]")
_LONGEST = 1000  # of a pattern
_LONGEST_TEXT = 1 << 20  # for a pattern that repeats: `re` may run over the text 4096 times before a signal is seen
_NAMED_GROUP = re.compile(r"\(\?(?:<(?![=!])(\w+)>|'(\w+)')")
_REPLACEMENT = re.compile(r"\$(?:(\d{1,2})|\{(\w+)\}|(\$)|(&))")


@lru_cache(maxsize=256)
def regex(pattern: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    """A pattern, ready to be used. Raises `PSError` if it isn't one."""
    if len(pattern) > _LONGEST:
        raise _invalid(pattern[:40] + "…", f"it has more than {_LONGEST} characters")
    translated = _NAMED_GROUP.sub(lambda name: f"(?P<{name[1] or name[2]}>", pattern).replace(r"\z", r"\Z")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python may give `[[` another meaning some day
            return re.compile(translated, re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError) as error:
        raise _invalid(pattern, str(error)) from None


def check_length(pattern: str, text: str) -> None:
    """Raises `PSError` where the text is too long for the pattern."""
    if len(text) > _LONGEST_TEXT and _REPEAT.search(pattern):
        raise _invalid(pattern, f"it could take too long on a text of {len(text)} characters; make it simpler")


def _invalid(pattern: str, why: str) -> PSError:
    text = f'The regular expression pattern "{pattern}" is not valid: {why}.'
    return PSError(text, error_id="InvalidRegularExpression")


def expand(replacement: str, match: re.Match[str]) -> str:
    """`$1`, `${name}`, `$&` and `$$` in what -replace puts in; a group that there isn't stays as written."""

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if reference[3]:
            return "$"
        if reference[4]:
            return match[0]
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except (IndexError, ValueError):
            return reference[0]

    return _REPLACEMENT.sub(group, replacement)


def like(text: str, pattern: str, *, ignore_case: bool = True) -> bool:
    """Whether a wildcard pattern matches: `*`, `?`, `[a-c]`; a backtick makes the next character plain."""
    if ignore_case:
        text, pattern = text.lower(), pattern.lower()
    parts = _wildcard_parts(pattern)
    at = part = 0
    star, resume = -1, 0
    while at < len(text):
        if part < len(parts) and parts[part] == "*":
            star, resume, part = part, at, part + 1
        elif part < len(parts) and _fits(text[at], parts[part]):
            at, part = at + 1, part + 1
        elif star >= 0:
            resume += 1
            at, part = resume, star + 1
        else:
            return False
    return all(rest == "*" for rest in parts[part:])


_WILDCARD = re.compile(r"`(.)|(\[[^\]]+\])|(.)", re.DOTALL)


@lru_cache(maxsize=64)
def _wildcard_parts(pattern: str) -> tuple[str, ...]:
    """`*`, `?`, a set as `[ac-e`, or one character after `=`."""
    parts: list[str] = []
    for escaped, chars, plain in _WILDCARD.findall(pattern):
        if chars:
            parts.append(chars[:-1])
        else:
            parts.append(plain if plain in ("*", "?") else "=" + (escaped or plain))
    return tuple(part for i, part in enumerate(parts) if not (part == "*" and parts[i - 1 : i] == ["*"]))


def _fits(char: str, part: str) -> bool:
    if part == "?":
        return True
    if part[0] == "=":
        return part[1:] == char
    ranges = re.findall(r"(.)-(.)|(.)", part[1:], re.DOTALL)
    return any(single == char or (low and low <= char <= high) for low, high, single in ranges)
