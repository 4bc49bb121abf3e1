"""The examples of docs/ci.md, run in a scratch repository as their service would run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from junitparser import JUnitXml
from toys import HEAD, ONE, TWO

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "ci"
VARIABLES = {"CUESMITH_PACKAGE": "cuesmith", "CUESMITH_OUTPUTS": "outputs"}
FAILS = "  - {id: b/fails, kind: sfx, prompt: please fail, duration: 0.3s}\n"
BROKEN = HEAD.replace("loudness: -24 LUFS", "loudness: loud") + ONE + TWO.replace("0.4s", "a while")

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the services' steps run in bash")


class Repository:
    """A game's repository with the programs that a runner has; ``gh`` and ``pip`` only note that they were called."""

    def __init__(self, folder: Path, api: str) -> None:
        self.folder = folder
        self.calls = folder / "calls.txt"
        self.summary = folder / "summary.md"
        (folder / "manifests").mkdir(parents=True)
        programs = folder / "programs"
        programs.mkdir()
        note = f'echo "$(basename "$0") $*" >> "{self.calls}"\n'
        texts = {
            "cuesmith": f'exec "{sys.executable}" -c "from flows.cli import main; main()" "$@"\n',
            "gh": note,
            "python": note,
        }
        for name, text in texts.items():
            (programs / name).write_text(f"#!/bin/bash\n{text}")
            (programs / name).chmod(0o755)
        self.environment = {
            **os.environ,
            **VARIABLES,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "plugins")]),
            "MANIFEST": "manifests/game.yaml",
            "OUTPUTS": "outputs",
            "GITHUB_WORKSPACE": str(folder),
            "PREFECT_API_URL": api,
        }

    def manifest(self, text: str) -> None:
        text = text.replace("profiles:", "profiles:\n  nightly: {}")
        (self.folder / "manifests" / "game.yaml").write_text(text)

    def run(self, command: str, github: bool) -> subprocess.CompletedProcess[str]:
        service = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(self.summary)} if github else {}
        return subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=self.folder,
            env=self.environment | service,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def repository(tmp_path: Path, prefect_server: str) -> Repository:
    return Repository(tmp_path / "game", prefect_server)


def github_steps(name: str) -> list[str]:
    """The commands of a workflow, with its expressions filled in."""
    document: Any = yaml.safe_load((EXAMPLES / name).read_text())
    [job] = document["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    values = {f"vars.{key}": value for key, value in VARIABLES.items()} | {"github.event.number": "7"}
    return [re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: values[found[1]], command) for command in commands]


def annotations(said: str) -> list[tuple[str, str, str]]:
    """Level, file and line of each annotation."""
    found = re.findall(r"^::(\w+) file=([^,]+),line=(\d+),title=", said, re.M)
    return [(level, file, line) for level, file, line in found]


def test_a_good_manifest_passes_the_pull_request_and_is_summarised(repository: Repository) -> None:
    repository.manifest(HEAD + ONE + TWO)
    for command in github_steps("github-pull-request.yaml"):
        done = repository.run(command, github=True)
        assert done.returncode == 0, (command, done.stderr)
    assert repository.calls.read_text().splitlines() == [
        "python -m pip install cuesmith",
        "gh pr comment 7 --body-file plan.md --edit-last --create-if-none",
    ]
    comment = (repository.folder / "plan.md").read_text()
    assert "### toys: 3 to generate" in comment
    assert comment in repository.summary.read_text()


def test_a_wrong_manifest_fails_the_pull_request_with_its_lines(repository: Repository) -> None:
    repository.manifest(BROKEN)
    lines = (repository.folder / "manifests" / "game.yaml").read_text().splitlines()
    wrong = [str(number) for number, line in enumerate(lines, 1) if "loud}" in line or "a while" in line]
    for command in github_steps("github-pull-request.yaml")[1:3]:
        done = repository.run(command, github=True)
        assert done.returncode == 2, command
        assert {(level, file) for level, file, _ in annotations(done.stderr)} == {
            ("error", "manifests/game.yaml")
        }
        assert set(wrong) >= {line for _, _, line in annotations(done.stderr)}
    assert "::" not in repository.run('cuesmith validate "$MANIFEST" --ci', github=False).stderr


def test_the_nightly_build_reports_what_failed(repository: Repository) -> None:
    repository.manifest(HEAD + ONE + FAILS)
    line = 1 + (repository.folder / "manifests" / "game.yaml").read_text().splitlines().index(FAILS.rstrip())
    [command] = github_steps("github-nightly.yaml")
    done = repository.run(command, github=True)
    assert done.returncode == 3, done.stderr
    assert annotations(done.stderr) == [("error", "manifests/game.yaml", str(line))]
    [suite] = JUnitXml.fromroot(ElementTree.parse(repository.folder / "junit.xml").getroot())
    assert (suite.tests, suite.failures) == (3, 1)
    [failed] = [case for case in suite if case.result]
    assert (failed.classname, failed.name) == ("b.fails", "fails_01")
    assert f"manifests/game.yaml:{line}" in failed.result[0].text
    assert "catalog version 1 is published" in repository.summary.read_text()


def test_the_jobs_of_gitlab_run(repository: Repository) -> None:
    repository.manifest(HEAD + ONE)
    document: Any = yaml.safe_load((EXAMPLES / "gitlab-ci.yaml").read_text())
    for job in ("manifests", "nightly"):
        for command in document[job]["script"]:
            done = repository.run(command, github=False)
            assert done.returncode == 0, (command, done.stderr)
    reports = document["nightly"]["artifacts"]["reports"]
    assert (repository.folder / reports["junit"]).is_file()
    assert (repository.folder / document["manifests"]["artifacts"]["paths"][0]).is_file()


def test_the_pre_commit_hook_checks_the_manifest_that_it_is_given(repository: Repository) -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert re.search(hook["files"], "manifests/game.yaml")
    repository.manifest(HEAD + ONE)
    assert repository.run(f"{hook['entry']} manifests/game.yaml", github=False).returncode == 0
    repository.manifest(BROKEN)
    assert repository.run(f"{hook['entry']} manifests/game.yaml", github=False).returncode == 2
