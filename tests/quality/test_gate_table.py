"""The table of gates: complete, equal to the manifest's defaults, and printed in the documentation."""

from dataclasses import fields

import pytest

from pipeline.gates import GATES, Gate, passing_setting
from pipeline.manifest.language import Language
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
def test_the_suggested_setting_lets_the_sound_pass(gate: Gate) -> None:
    for measured in (0.0151, 0.3, 0.9123, 0.9999, 1.2, 1.25):
        setting = gate.passing_setting(-60 * measured if gate.unit == "LUFS" else measured)
        if gate.key is None:
            assert setting == "quality: {gate: false}"
            continue
        limit = float(setting.removeprefix(f"quality: {{{gate.key}: ").split("}")[0].split(" ")[0])
        assert limit <= gate.most
        assert limit == gate.most or not gate.closes(
            -60 * measured if gate.unit == "LUFS" else measured, limit
        )


def test_a_gate_that_no_longer_exists_can_only_be_switched_off() -> None:
    assert passing_setting("dropouts", 1.0) == "quality: {gate: false}"


def test_the_documentation_has_this_table() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "run `python scripts/gate_table.py`"
