"""The handbook of the language is complete, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from manifests import json_schema, load
from pipeline.formats import FORMATS
from pipeline.generators.registry import engine_keys
from pipeline.manifest.language import language
from pipeline.manifest.values import DURATION, FADE, LOUDNESS, RATES, TRUE_PEAK
from scripts.manifest_tables import with_tables

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
ROWS = {
    key: cells
    for line in TEXT.splitlines()
    if line.startswith("| `")
    for key, *cells in [[cell.strip().strip("`") for cell in line.strip("|").split("|")]]
}

KINDS_OF_VALUE = {
    line.split("|")[1].strip(): line.split("|")[2]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| `")
}


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_of_the_handbook_loads(example: str, tmp_path: Path) -> None:
    assert list(Draft7Validator(json_schema()).iter_errors(yaml.safe_load(example))) == []
    (tmp_path / "shared").mkdir()
    if "assets:" in example:
        (tmp_path / "m.yaml").write_text(example, encoding="utf-8")
    else:
        (tmp_path / "shared" / "defaults.yaml").write_text(example, encoding="utf-8")
        main = "cuesmith: 1\nproject: game\ninclude: [shared/defaults.yaml]\nassets: []\n"
        (tmp_path / "m.yaml").write_text(main, encoding="utf-8")
    for profile in [None, *yaml.safe_load(example).get("profiles", {})]:
        assert load(tmp_path / "m.yaml", profile).name


def test_the_example_of_a_file_of_assets_loads(tmp_path: Path) -> None:
    [example] = re.findall(r"^```yml\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert list(Draft7Validator(json_schema()).iter_errors(yaml.safe_load(example))) == []
    (tmp_path / "sfx.yaml").write_text(example, encoding="utf-8")
    (tmp_path / "m.yaml").write_text("cuesmith: 1\nproject: game\nassets: [sfx.yaml]\n", encoding="utf-8")
    assert [asset.id for asset in load(tmp_path / "m.yaml").assets] == ["sfx/door"]


def test_the_first_example_makes_nineteen_files(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(EXAMPLES[0], encoding="utf-8")
    assert sum(asset.variations for asset in load(tmp_path / "m.yaml").assets) == 19


def test_the_tables_of_the_handbook_are_made_from_the_keys() -> None:
    assert with_tables(TEXT) == TEXT, "write them again: make tables"
    assert re.findall(r"<!-- (\w+):begin -->", TEXT) == [
        "head", "asset", "style", "start_from", "repaint", "lego", "complete", "settings", "sampling", "quality",
        "effects",
    ]  # fmt: skip


def test_every_key_of_the_language_has_a_row() -> None:
    schema = json_schema()
    keys = {*schema["properties"], *schema["definitions"]["Asset"]["properties"]}
    assert keys - set(ROWS) == set()


@pytest.mark.parametrize("kind", ["music", "sfx"])
def test_the_defaults_of_the_handbook_are_the_built_in_ones(kind: str) -> None:
    built_in = language(engine_keys).defaults(kind)
    shown = {key: cells[0 if kind == "music" else 1] for key, cells in ROWS.items()}
    assert LOUDNESS.read(shown["loudness"]) == built_in["loudness"]
    assert TRUE_PEAK.read(shown["true_peak"]) == built_in["true_peak"]
    assert shown["sample_rate"] == f"{built_in['sample_rate'] // 1000} kHz"
    assert shown["bit_depth"] == built_in["bit_depth"]
    assert shown["license"] == built_in["license"]
    assert shown["credentials"] == built_in["credentials"]
    assert shown["naming"] == built_in["naming"]
    assert shown["formats"] == f"[{', '.join(built_in['formats'])}]"
    for key in ("channels", "variations", "candidates"):
        assert shown[key] == str(built_in[key])
    for key in ("loop", "trim", "extend"):
        assert shown[key] == str(built_in[key]).lower()
    quality = {key: built_in["quality"][key] for key in built_in["quality"] if key != "gate"}
    assert {key: float(shown[key].split()[0]) for key in quality} == quality
    fade = yaml.safe_load(shown["fade"])
    assert fade.pop("curve") == built_in["fade"]["curve"]
    assert {key: FADE.read(str(value)) for key, value in fade.items()} == {
        "in": built_in["fade"]["in"],
        "out": built_in["fade"]["out"],
    }


def test_the_handbook_names_every_rate_format_and_way_to_write_a_duration() -> None:
    rates = next(line for line in TEXT.splitlines() if line.startswith("| sample rate |"))
    assert re.findall(r"\d+", rates)[-len(RATES) :] == [str(rate) for rate in RATES]
    assert all(f"`{name}`" in TEXT for name in FORMATS)
    assert all(DURATION.read(text) for text in re.findall(r"`([^`]+)`", KINDS_OF_VALUE["duration"]))
