"""The table of gates: complete, equal to the manifest's defaults, and printed in the documentation."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from pipeline.gates import GATES, Gate, passing_setting
from pipeline.generators import engine_keys
from pipeline.manifest.language import Language
from pipeline.manifest.loader import load
from pipeline.manifest.spec import QualitySpec
from pipeline.quality.gates import MEASURES
from scripts.gate_table import PAGE, page


def test_every_gate_has_a_measuring_function() -> None:
    assert list(MEASURES) == [name for name in GATES if name != "duplicate"]


def test_every_limit_in_the_manifest_is_a_gate_with_the_same_default() -> None:
    keyed = [gate for gate in GATES.values() if gate.key]
    assert {gate.field or gate.key for gate in keyed} == {field.name for field in fields(QualitySpec)} - {
        "gate"
    }
    for kind in ("music", "sfx"):
        limits = Language({}).defaults(kind)["quality"]
        assert {gate.key: gate.limits[kind] for gate in keyed} | {"gate": True} == limits


@pytest.mark.parametrize("gate", GATES.values(), ids=lambda gate: gate.name)
def test_the_suggested_setting_lets_the_sound_pass(gate: Gate, tmp_path: Path) -> None:
    for value in (0.0151, 0.3, 0.9123, 0.9999, 1.0, 1.2, 1.25, 27.1, 146.0):
        measured = -60 * value if gate.unit == "LUFS" else value
        setting = passing_setting([(gate.name, measured)])
        if setting == "quality: {gate: false}":
            assert gate.key is None or gate.closes(measured, gate.least if measured < 0 else gate.most)
            continue
        spec = yaml.safe_load(setting)["quality"]
        text = f"cuesmith: 1\nproject: p\nassets:\n  - {{id: a, kind: sfx, prompt: a, duration: 1s, {setting}}}\n"
        (tmp_path / "cues.yaml").write_text(text)
        quality = load(tmp_path / "cues.yaml", None, engine_keys).assets[0].quality
        assert list(spec) == [gate.key]
        assert not gate.closes(measured, getattr(quality, gate.field or str(gate.key)))


def test_a_gate_that_no_longer_exists_can_only_be_switched_off() -> None:
    assert passing_setting([("dropouts", 1.0)]) == "quality: {gate: false}"


def test_the_documentation_has_this_table() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "run `python scripts/gate_table.py`"
