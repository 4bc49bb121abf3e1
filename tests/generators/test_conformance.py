"""The conformance kit: our own engines pass it, and each check fails on engines that break what it checks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import broken_engines
import pytest

from pipeline.generators import conformance, find_engine
from pipeline.generators.conformance import CHECKS, ConformanceError, Subject

ROOT = Path(__file__).parents[2]
BROKEN = Path(__file__).parent / "broken"
PAGE = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
FILES = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUICK_S = 30.0
"""Of one call; of engines that hang, 2 s are enough."""


@pytest.fixture(autouse=True)
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engines of `broken_engines` are installed, here and in child processes."""
    info = tmp_path / "broken_engines-1.0.dist-info"
    info.mkdir()
    names = ["good", *broken_engines.WAYS]
    lines = [f"{name} = broken_engines:{name.replace('-', '__')}" for name in names]
    (info / "entry_points.txt").write_text("[cuesmith.engines]\n" + "\n".join(lines) + "\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-engines\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    paths = [str(tmp_path), str(BROKEN), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    find_engine.cache_clear()
    yield
    find_engine.cache_clear()


class TestSketch(conformance.EngineTests):
    engine = "sketch"


class TestGood(conformance.EngineTests):
    engine = "good"


def test_every_check_has_engines_that_break_it_and_a_test() -> None:
    assert {way.partition("-")[0] for way in broken_engines.WAYS} == CHECKS.keys()
    tests = {name.removeprefix("test_") for name in vars(conformance.EngineTests) if name.startswith("test_")}
    assert tests == CHECKS.keys()


@pytest.mark.parametrize("way", broken_engines.WAYS)
def test_a_check_fails_on_an_engine_made_to_break_it(way: str) -> None:
    check = way.partition("-")[0]
    with pytest.raises(ConformanceError) as caught:
        CHECKS[check](Subject(way, limit_s=2.0 if check == "hangs" else QUICK_S))
    assert len(str(caught.value)) > 20


def test_an_engine_that_makes_nothing_of_the_manifest_is_reported(tmp_path: Path) -> None:
    manifest = tmp_path / "cues.yaml"
    manifest.write_text(conformance.MANIFEST.format(engine="sketch"))
    with pytest.raises(ConformanceError, match="makes no asset of the manifest"):
        CHECKS["seeds"](Subject("good", manifest))


def test_the_worked_engine_of_the_docs_is_a_package_that_conforms_and_plans(tmp_path: Path) -> None:
    package, site = tmp_path / "chime", tmp_path / "site"
    package.mkdir()
    for name, text in FILES.findall(PAGE):
        (package / name).write_text(text, encoding="utf-8")
    install = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", *install, "--target", str(site), str(package)], check=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_chime.py"],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CHECKS)} passed" in done.stdout
    (package / "cues.yaml").write_text(
        "cuesmith: 1\nproject: bells\nassets:\n"
        "  - {id: ui/bell, kind: sfx, prompt: a bell, duration: 0.5s, engine: chime, model: glass}\n"
    )
    planned = subprocess.run(
        [sys.executable, "-c", "from flows.cli import main; main()", "plan", "cues.yaml"],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert planned.returncode == 0, planned.stderr
    assert "chime glass: 1 take" in planned.stderr
    assert "the release gate will refuse glass: Example Chime License allows commercial use below USD" in (
        planned.stderr
    )
