"""Shell completion: what Cuesmith answers to each shell, and what real shells make of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from quick import QuickProject

from flows.cli.app import COMMANDS
from flows.cli.export import TARGETS
from pipeline.export import targets

BIN = Path(sys.executable).parent
CUESMITH = BIN / "cuesmith"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in ``outputs`` and manifests in two places."""
    project = QuickProject(tmp_path_factory.mktemp("studio") / "toys")
    project.build()
    (project.folder / "manifests").mkdir()
    (project.folder / "manifests" / "forest.yaml").touch()
    return project.folder


def offered(folder: Path, line: str, **environment: str) -> list[str]:
    """The words that Cuesmith offers bash at the end of ``line``."""
    words = re.split(" +", line)
    asked = {"_CUESMITH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [CUESMITH],
        cwd=folder,
        env={**os.environ, **asked, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cuesmith re", ["report", "review"]),
        ("cuesmith catalog sh", ["show"]),
        ("cuesmith build --qu", ["--quiet"]),
        ("cuesmith build ", ["cues.yaml", "manifests/forest.yaml"]),
        ("cuesmith build man", ["manifests/forest.yaml"]),
        ("cuesmith catalog show ", ["a/one", "a/two", "b/three"]),
        ("cuesmith review approve a/", ["a/one", "a/two"]),
        ("cuesmith build --only b", ["b/three"]),
        ("cuesmith catalog show --outputs nowhere ", []),
        ("cuesmith catalog show --outputs s3://bucket ", []),
        ("cuesmith catalog diff ", ["1"]),
        ("cuesmith report --version ", ["1"]),
        ("cuesmith catalog channels ", ["latest"]),
        ("cuesmith export --channel l", ["latest"]),
        ("cuesmith export unr", ["unreal"]),
        ("cuesmith catalog show --state un", ["unreviewed"]),
        ("cuesmith catalog show --kind ", ["music", "sfx"]),
        ("cuesmith measure ", []),
    ],
)
def test_the_words_that_fit_are_offered(studio: Path, line: str, expected: list[str]) -> None:
    before = sorted(studio.rglob("*"))
    assert offered(studio, line) == expected
    assert sorted(studio.rglob("*")) == before, "a key press makes no files"


def test_all_commands_are_offered_and_the_store_of_the_environment_counts(
    studio: Path, tmp_path: Path
) -> None:
    assert offered(tmp_path, "cuesmith ") == list(COMMANDS)
    assert offered(tmp_path, "cuesmith catalog show ") == []
    outputs = str(studio / "outputs")
    assert offered(tmp_path, "cuesmith catalog show a/t", CUESMITH_OUTPUTS=outputs) == ["a/two"]


def test_a_damaged_store_offers_nothing_and_says_nothing(studio: Path, tmp_path: Path) -> None:
    shutil.copytree(studio / "outputs", tmp_path / "outputs")
    (tmp_path / "outputs" / "channels" / "latest.json").write_text("{")
    assert offered(tmp_path, "cuesmith catalog show ") == []


def test_the_targets_are_those_of_exports() -> None:
    assert list(TARGETS) == list(targets.TARGETS)


@pytest.mark.parametrize("line", ["cuesmith ", "cuesmith catalog show a", "cuesmith build m"])
def test_completion_imports_nothing_heavy(studio: Path, line: str) -> None:
    spy = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); sys.argv = ['cuesmith']"
    asked = {"_CUESMITH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", f"{spy}\nfrom flows.cli import main; main()"],
        cwd=studio,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {name.partition(".")[0] for name in done.stderr.split()}
    assert "typer" in modules
    assert modules & {"numpy", "scipy", "torch", "prefect", "yaml", "pydantic", "rich", "asyncio"} == set()


SHELLS = {
    "bash": (
        "source ~/.bashrc; COMP_WORDS=(cuesmith catalog show a/); COMP_CWORD=3; _cuesmith_completion cuesmith; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    ),
    "zsh": (
        "autoload -Uz compinit; compinit -u; source ~/.zfunc/_cuesmith; _arguments() { print -r -- $* }; "
        "words=(cuesmith catalog show a/); CURRENT=4; _cuesmith_completion"
    ),
    "fish": "complete --do-complete 'cuesmith catalog show a/'",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_one_line_installs_completion_and_the_shell_then_offers_ids(
    studio: Path, tmp_path: Path, shell: str
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    place = {**os.environ, "HOME": str(tmp_path), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    place.pop("XDG_CONFIG_HOME", None)

    def said(script: str) -> str:
        done = subprocess.run(
            [program, "-c", script], cwd=studio, env=place, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    # The comment keeps the shell from replacing itself with the command: its name is how Typer knows it.
    assert "completion installed" in said("cuesmith --install-completion; true")
    answer = said(SHELLS[shell])
    assert re.findall(r"[ab]/\w+", answer) == ["a/one", "a/two"]
