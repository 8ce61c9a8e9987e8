"""Scripts of cmdlets that administer, run on a real store."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from posthouse.admin import Administration
from posthouse.cmdlets.errors import ScriptRefused
from posthouse.cmdlets.files import AllowedFiles
from posthouse.cmdlets.interface import Services
from posthouse.cmdlets.library import LIBRARY
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.session import Session
from posthouse.settings import Settings
from support.scripts import Paper

_WHERE = re.compile(r"\nAt test\.ps1:.*?\+ FullyQualifiedErrorId : [^\n]*\n \n", re.DOTALL)


class Shell:
    """A session of an administrator on a store."""

    def __init__(self, administration: Administration, settings: Settings, *answers: str) -> None:
        self.administration = administration
        self.settings = settings
        self.paper = Paper(list(answers))
        services = Services(self.paper, AllowedFiles(), lambda: datetime.now().astimezone(), (administration, settings))
        self._session = Session(Registry(LIBRARY), services)

    def run(self, script: str) -> str:
        """What is shown on all streams. Of an error its message only: where it happened is the language's to say."""
        self.paper.said.clear()
        try:
            self._session.run(self._session.prepare(script, "test.ps1"))
        except ScriptRefused as error:
            return f"{error}\n"
        return _WHERE.sub("\n", self.paper.text)

    def lines(self, script: str) -> list[str]:
        return self.run(script).splitlines()

    def export(self) -> str:
        return self.administration.export()


OpenShell = Callable[..., Shell]
"""What the fixture `open_shell` is."""
