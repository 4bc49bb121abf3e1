"""Exit codes are those that the documentation lists, whatever command is asked for what does not exist."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from quick import QuickProject
from typer.testing import CliRunner

from flows.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "terminal.md"
BROKEN = "cuesmith: 1\nproject: x\nassets:\n  - {id: a, kindd: sfx}\n"


@pytest.fixture(scope="module")
def studio_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codes") / "toys"
    project = QuickProject(folder)
    project.build()
    (folder / "broken.yaml").write_text(BROKEN)
    (folder / "open.yaml").write_text("a: [")
    (folder / "file").write_text("x")
    return folder


@pytest.fixture
def studio(studio_once: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built project as the current folder. Commands of these tests change nothing in it."""
    monkeypatch.chdir(studio_once)
    return studio_once


def of_store() -> Iterator[str]:
    """Commands that read a store."""
    yield from (
        "catalog versions",
        "catalog show",
        "catalog history a/one",
        "catalog diff 1 2",
        "catalog table",
    )
    yield from ("catalog licenses", "catalog quarantine", "catalog manifest", "catalog channels")
    yield from ("catalog rollback", "report", "review --no-open", "review approve a/one", "review list")
    yield from ("promote 1 --channel release", "export godot --to x", "disclose --to x", "verify")
    yield from ("verify --repair", "gc", "plan", "build")


LISTS = ("catalog versions", "catalog quarantine", "catalog channels", "review list", "plan")
"""Commands that list what there is: nothing yet is no error."""
WRONG = (
    *("catalog show --version 99", "catalog licenses --version 99", "catalog table --version 99"),
    *(
        "catalog manifest --version 99",
        "catalog diff 1 99",
        "catalog rollback --to 99",
        "report --version 99",
    ),
    *("report --against 99", "review --no-open --version 99", "review approve a/one --version 99"),
    *("promote 99 --channel release", "export godot --to x --channel 99", "disclose --to x --channel 99"),
    *("export godot --to x --channel nope", "disclose --to x --channel nope", "catalog channels nope"),
    *("catalog rollback --channel nope", "promote 1 --channel Bad!", "promote 1 --channel latest"),
    *("catalog show no/such", "catalog history no/such", "review approve no/such", "plan --only no/such"),
    *(
        "build --only no/such",
        "audition --asset no/such --engines sketch",
        "catalog show a/one --variation 9",
    ),
    *("audition --asset a/one --engines nope", "audition --asset a/one", "audition --engines sketch"),
    *("catalog show --state nope", "catalog show --kind nope", "review comment a/one"),
    *(
        "build --devices gpu9",
        "build --runner nope",
        "build --max-minutes -1",
        "build --max-minutes nan",
        "gc --keep 0",
        "gc --grace -1",
        "gc --grace nan",
    ),
    *(
        "export nope --to x",
        "export godot",
        "export godot --to x --profile nope",
        "catalog table --format parquet",
    ),
    *("promote 1 --channel release --override nope --because x", "promote 1 --channel release --because x"),
    *("init file", "init .", "measure none.wav", "measure file", "credentials show none.wav"),
    *("credentials verify none.wav", "models list --engine nope", "models list --engine sketch"),
    *("models fetch nope/nope", "models verify nope/nope", "review import none.json", "review import file"),
    *("plan --outputs file/x", "build --outputs file/x", "verify --outputs file/x"),
    *("plan --outputs s3://", "bild", "build --nope", "catalog nope", "review nope", "catalog diff 1"),
    *(
        f"{name} {manifest}"
        for name in ("validate", "plan", "build")
        for manifest in ("broken.yaml", "open.yaml")
    ),
    *(
        f"{name} {manifest}"
        for name in ("validate", "plan", "build")
        for manifest in ("none.yaml", ".", "file")
    ),
    *(f"{name} --profile nope" for name in ("validate", "plan", "build")),
    *(f"{name} --outputs {place}" for name in of_store() for place in ("file", "nope://x/y")),
    *(f"{name} --outputs nowhere" for name in of_store() if name not in (*LISTS, "build")),
)
LACKING = (
    *("report --self-contained file/x", "export godot --to file/x", "disclose --to file/x", "init file/x"),
    *("catalog table --output file/x", "catalog manifest --output file/x", "schema --write file/x"),
    "build --outputs /proc/nowhere",
)
FAILED = ("promote 1 --channel release", "plan --check --outputs nowhere")
DONE = (
    *(f"{name} --outputs nowhere" for name in LISTS),
    *(
        "validate",
        "plan",
        "plan --check",
        "build",
        "schema",
        "verify",
        "gc --dry-run",
        "catalog show",
    ),
    *("review list no/such", "catalog quarantine no/such", "catalog show --tag nope"),
)
NOT_VERIFIED = ("credentials show file", "credentials verify file none.wav")
EXPECTED = {
    **dict.fromkeys(DONE, 0),
    **dict.fromkeys(FAILED, 1),
    **dict.fromkeys(WRONG, 2),
    **dict.fromkeys(LACKING, 4),
    **dict.fromkeys(NOT_VERIFIED, 5),
}


@pytest.mark.parametrize("words", EXPECTED)
def test_a_command_ends_with_the_documented_code(studio: Path, words: str) -> None:
    done = CliRunner().invoke(app, words.split())
    assert type(done.exception) in (type(None), SystemExit), done.exception
    said = done.stdout + done.stderr
    assert done.exit_code == EXPECTED[words], said
    if done.exit_code in (2, 4):
        assert re.search("^[Ee]rror: ", done.stderr, re.MULTILINE), said
    assert not Path("x").exists(), "a refused command writes nothing"


def test_what_is_damaged_ends_with_5_or_1(studio: Path, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    shutil.copytree(studio / "outputs", outputs)
    stored = next(path for path in (outputs / "store").rglob("*") if path.is_file())
    stored.chmod(0o644)
    stored.write_bytes(b"damaged")
    assert CliRunner().invoke(app, ["verify", "--outputs", str(outputs)]).exit_code == 5
    version = next((outputs / "catalog").glob("*/catalog.json"))
    version.chmod(0o644)
    version.write_text("{")
    assert CliRunner().invoke(app, ["catalog", "show", "--outputs", str(outputs)]).exit_code == 1


def test_the_help_and_the_page_list_the_same_codes() -> None:
    in_page = re.findall(r"^\| (\d+) \| ", PAGE.read_text(), re.MULTILINE)
    said = CliRunner().invoke(app, ["--help"]).output
    in_help = re.findall(r"(\d+) [a-z]", " ".join(said.partition("Exit codes:")[2].split()))
    assert in_page == in_help == ["0", "1", "2", "3", "4", "5", "130"]
