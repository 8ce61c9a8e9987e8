"""Wildcards (about_Wildcards) and regular expressions (about_Regular_Expressions) that end soon, whatever is asked.

A backtracking matcher may take exponential time. So it is first estimated in how many ways a pattern can be tried, and
what could take too long is refused.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from posthouse.cmdlets.errors import PSError

_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\((?:\?[:=!<>a-zA-Z']*)?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<many>[*+]|\{\d+,\})|(?P<few>\?|\{(?P<least>\d+)(?:,(?P<most>\d+))?\})|.",
    re.DOTALL,
)
_SMALL = 4  # repetitions that cost no more than a constant
_MOST_WAYS = 10**9
_LONGEST = 1000
_NAMED_GROUP = re.compile(r"\(\?(?:<(?![=!])(\w+)>|'(\w+)')")
_REPLACEMENT = re.compile(r"\$(?:(\d{1,2})|\{(\w+)\}|(\$)|(&))")


@dataclass(slots=True)
class _Group:
    """`depth`: how deep variable repeats are nested in it; `unbounded`: how many have no small bound."""

    depth: int = 0
    unbounded: int = 0


@lru_cache(maxsize=256)
def _compiled(pattern: str, *, ignore_case: bool) -> tuple[re.Pattern[str], int]:
    """The pattern, and how many of its repeats may try every length."""
    if len(pattern) > _LONGEST:
        raise _invalid(pattern[:40] + "…", f"it has more than {_LONGEST} characters")
    unbounded = _count_unbounded(pattern)
    translated = _NAMED_GROUP.sub(lambda name: f"(?P<{name[1] or name[2]}>", pattern).replace(r"\z", r"\Z")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python may give `[[` another meaning some day
            return re.compile(translated, re.IGNORECASE if ignore_case else 0), unbounded
    except (re.error, RecursionError, OverflowError) as error:
        raise _invalid(pattern, str(error)) from None


def _invalid(pattern: str, why: str) -> PSError:
    text = f'The regular expression pattern "{pattern}" is not valid: {why}.'
    return PSError(text, error_id="InvalidRegularExpression")


def _count_unbounded(pattern: str) -> int:
    groups, last = [_Group()], _Group()
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            groups.append(_Group())
        elif token["close"] and len(groups) > 1:
            last = groups.pop()
            groups[-1].depth = max(groups[-1].depth, last.depth)
            groups[-1].unbounded += last.unbounded
            continue
        elif token["bar"]:
            groups[-1].depth = max(groups[-1].depth, 1)
        elif token["many"] or token["few"]:
            _repeat(pattern, groups[-1], last, token)
        last = _Group()
    return sum(group.unbounded for group in groups)


def _repeat(pattern: str, group: _Group, inner: _Group, token: re.Match[str]) -> None:
    most = int((token["most"] or token["least"] or "1")[:4]) if token["few"] else _SMALL + 1
    large = most > _SMALL
    if inner.depth and (large or inner.depth > 1) and most > 1:
        raise _invalid(pattern, "a repeat within a repeat could take too long; write it without")
    group.unbounded += inner.unbounded * (most - 1) + int(large)
    group.depth = max(group.depth, inner.depth + 1)


def regex(pattern: str, text: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    """The pattern, ready for that text. Raises `PSError` if it isn't one, or could take too long on it."""
    found, unbounded = _compiled(pattern, ignore_case=ignore_case)
    if unbounded and (len(text) + 1) ** (unbounded + 1) > _MOST_WAYS:
        raise _invalid(pattern, f"it could take too long on a text of {len(text)} characters; make it simpler")
    return found


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
