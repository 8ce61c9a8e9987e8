"""Where `POSTHOUSE_TESTS_NO_SKIP=1` is set, nothing may be missing: a skipped test is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

NO_SKIP = os.environ.get("POSTHOUSE_TESTS_NO_SKIP") == "1"

AnyReport = TypeVar("AnyReport", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _judged((yield))


def _judged(report: AnyReport) -> AnyReport:
    """The same report, failed if it was skipped. An expected failure counts as skipped for pytest, but ran."""
    if NO_SKIP and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but POSTHOUSE_TESTS_NO_SKIP=1 forbids it: {report.longreprtext}"
    return report
