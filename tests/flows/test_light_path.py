"""Commands that make nothing import nothing heavy, each as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from quick import build_prepared

from flows.cli.app import COMMANDS, load
from pipeline.build.prepare import BuildRequest, prepare

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("torch", "audiocraft", "transformers", "prefect", "ray"),
    *("numpy", "scipy", "pandas", "pyarrow", "soundfile", "soxr", "pyloudnorm", "mutagen"),
    *("fastapi", "jinja2", "rich", "httpx", "asyncio", "fsspec", "filelock"),
}
READING = {"yaml", "pydantic"}
"""What reading a manifest takes, and what nobody pays for a manifest that was read before."""
MANIFEST = """\
cuesmith: 1
project: light
assets:
  - {id: ui/click, kind: sfx, prompt: a soft click, duration: 0.2s, variations: 2}
"""
SPY = """
import json, sys
from flows.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
finally:
    with open({modules!r}, "w") as file:
        json.dump(sorted(sys.modules), file)
"""
HELP = """
import json, sys
from flows.cli import main
names, shown = sys.argv[1:], []
for name in names:
    sys.argv = ["cuesmith", name, "--help"]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
        shown.append(name)
assert shown == names
with open({modules!r}, "w") as file:
    json.dump(sorted(sys.modules), file)
"""
"""Shows the help of each command that is named."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose manifest is built: nothing is left to do."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "cues.yaml").write_text(MANIFEST)
    result = build_prepared(prepare(BuildRequest(folder / "cues.yaml", str(folder / "outputs"))))
    assert (result["generated"], result["failed"]) == (2, [])
    return folder


def imported(folder: Path, *words: str, code: str = SPY) -> tuple[str, set[str]]:
    """Standard output of ``cuesmith words`` in ``folder``, and the top-level modules that it imported."""
    code = code.format(modules=str(folder / "modules.json"))
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = json.loads((folder / "modules.json").read_text())
    return done.stdout, {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("schema",),
        ("validate", "--json"),
        ("plan", "--json"),
        ("build", "--json"),
        ("catalog", "versions", "--json"),
        ("catalog", "show", "--json"),
        ("verify", "--json"),
    ],
    ids=" ".join,
)
def test_a_command_that_makes_nothing_imports_nothing_heavy(built: Path, words: tuple[str, ...]) -> None:
    _, modules = imported(built, *words)
    allowed = {"filelock"} if words[0] == "verify" else set()
    assert modules & HEAVY - allowed == set()


def test_no_help_imports_anything_heavy(built: Path) -> None:
    """One process shows them all: what one of them imports stays imported."""
    assert imported(built, *COMMANDS, code=HELP)[1] & HEAVY == set()


@pytest.mark.parametrize("words", [("plan",), ("build",)], ids=" ".join)
def test_a_manifest_that_was_read_before_needs_neither_yaml_nor_pydantic(
    built: Path, words: tuple[str, ...]
) -> None:
    imported(built, *words)
    _, modules = imported(built, *words)
    assert modules & (HEAVY | READING) == set()


def test_a_build_with_nothing_to_do_keeps_the_version(built: Path) -> None:
    output = json.loads(imported(built, "build", "--json")[0])
    assert (output["version"], output["published"], output["reused"]) == (1, False, 2)


def test_help_imports_no_command_and_no_room() -> None:
    code = "import sys; from typer.testing import CliRunner; from flows.cli.app import app\n"
    code += "assert CliRunner().invoke(app, ['--help']).exit_code == 0; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    ours = {name for name in done.stdout.split() if name.startswith(("flows.", "pipeline."))}
    expected = {"flows.cli", "flows.cli.app", "flows.cli.examples", "flows.cli.terminal", "flows.streams"}
    assert ours == expected, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_of_the_help_is_the_first_line_of_its_commands_own(name: str) -> None:
    line = COMMANDS[name][1]
    assert load(name).help.splitlines()[0] == line
    assert len(name) < 12
    assert len(line) <= 66, "it would wrap at 80 columns"


def test_the_first_line_of_a_build_waits_for_no_part_of_the_catalog(tmp_path: Path) -> None:
    (tmp_path / "cues.yaml").write_text(MANIFEST)
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from flows.cli import build, main

def stop_at_first_line(text):
    print(text, *sorted(name for name in sys.modules if name.startswith("pipeline.")))
    raise SystemExit(7)

build.print_stderr = stop_at_first_line
sys.argv = ["cuesmith", "build"]
main()
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "1/4 Plan: cues.yaml pipeline.errors pipeline.texts\n"), (
        done.stderr
    )
