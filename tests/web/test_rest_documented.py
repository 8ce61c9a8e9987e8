"""What docs/rest.md shows is typed into a shell, and works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from support.house import House
from support.office import Office, done

REST = (Path(__file__).parents[2] / "docs" / "rest.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", REST, re.MULTILINE | re.DOTALL)


def test_the_examples_run_in_their_order(house: House) -> None:
    with Office(house) as office:
        (house.folder / "posthouse").write_text(f'#!/bin/sh\nexec {sys.executable} -m posthouse "$@"\n', "utf-8")
        (house.folder / "posthouse").chmod(0o755)
        typed = "\necho '---'\n".join(BLOCKS).replace("127.0.0.1", house.address).replace("curl -sS", "curl -sSf")
        ran = subprocess.run(
            ["/bin/sh", "-eu", "-c", typed],
            cwd=house.folder,
            env=os.environ | {"PATH": f"{house.folder}:{os.environ['PATH']}", "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        answers = [answer.strip() for answer in ran.stdout.split("---\n")]
        assert json.loads(answers[2])["value"]["RequireTls"] is True
        assert all(json.loads(step)["status"] for step in answers[4].splitlines())
        assert json.loads(answers[5]) == {"changes": [], "notices": []}
        wire = json.loads(answers[6])
        assert [row["Name"] for row in wire["value"]] == ["Office 365"]
        assert done(office.client().get("/connectors/outbound/Office 365"))["SmartHosts"]
