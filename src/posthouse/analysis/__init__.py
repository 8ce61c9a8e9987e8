"""The header analyzer: which way a message went, how long each hop took, and what is worth knowing about it.

Pure: bytes in, values out. Whatever the bytes are, it never raises, and takes time in proportion to their length.
"""

from posthouse.analysis.explain import Explanation, explain, explain_reply
from posthouse.analysis.findings import Finding, Severity
from posthouse.analysis.hops import Hop
from posthouse.analysis.report import HeaderReport, Summary, analyze

__all__ = [
    "Explanation",
    "Finding",
    "HeaderReport",
    "Hop",
    "Severity",
    "Summary",
    "analyze",
    "explain",
    "explain_reply",
]
