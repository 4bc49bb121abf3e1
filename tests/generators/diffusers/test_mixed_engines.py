"""One manifest with four engines that really generate: build, gates, report, and what each licence allows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from quick import QuickProject
from tiny_checkpoints import write_checkpoint

from pipeline.catalog import Reviews
from pipeline.release import refusals
from pipeline.report import write_report

HEAD = """\
cuesmith: 1
project: mixed
{declaration}
defaults:
  music: {{formats: [wav], quality: {{gate: false}}}}
  sfx: {{formats: [wav], quality: {{gate: false}}}}
assets:
  - {{id: a/sketched, kind: sfx, engine: sketch, prompt: door closes, duration: 0.5s}}
  - {{id: a/own, kind: sfx, engine: toy, prompt: a bell, duration: 0.5s}}
  - {{id: a/decoded, kind: music, engine: audiocraft, model: {decoded}, prompt: calm, duration: 1s}}
  - {{id: a/diffused, kind: music, engine: diffusers, model: {diffused}, prompt: calm, duration: 1s, steps: 2}}
"""
BELOW_A_MILLION = "license: {commercial: true, revenue_below_usd: 1000000}"


@pytest.mark.slow
def test_four_real_engines_build_gate_and_report(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    diffused = tiny("stable-audio-3", "medium")
    (diffused / "cuesmith.json").write_text(json.dumps({"model": "stabilityai/stable-audio-3-medium"}))
    models = {"decoded": write_checkpoint(tmp_path / "checkpoint", "music"), "diffused": diffused}
    project = QuickProject(tmp_path / "game")

    def refused(declaration: str) -> dict[tuple[str, str], str]:
        project.manifest.write_text(HEAD.format(declaration=declaration, **models))
        project.build()
        found = refusals(project.store, project.latest, Reviews(project.store).state())
        return {(one.code, name): why for one in found for name, why in one.masters}

    permitted = refused(BELOW_A_MILLION)
    assert ("non-commercial", "a/diffused_01") not in permitted
    assert permitted["non-commercial", "a/decoded_01"].startswith("local/checkpoint: its license is unknown")
    assert ("placeholder", "a/sketched_01") in permitted
    takes = {path.name: path.read_bytes() for path in (project.outputs / "takes").glob("*.json")}
    assert len(takes) == 4
    undeclared = refused("")
    assert "below USD 1,000,000" in undeclared["non-commercial", "a/diffused_01"]
    assert {path.name: path.read_bytes() for path in (project.outputs / "takes").glob("*.json")} == takes
    page = (project.outputs / write_report(project.store).key).read_text(encoding="utf-8")
    for name in ("sketched", "own", "decoded", "diffused"):
        assert f"a/{name}" in page
