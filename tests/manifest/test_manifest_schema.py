"""The JSON Schema that editors use says what the loader says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from manifest_texts import HEAD, Complain, Load

from manifests import json_schema, json_schema_text, load
from pipeline.manifest import Project

Judge = Callable[..., tuple[Project | None, list[str]]]
MANIFESTS = Path(__file__).parents[2] / "manifests"
EXAMPLES = sorted(MANIFESTS.rglob("*.yaml"))
WHOLE = [path for path in EXAMPLES if path.parent == MANIFESTS]


def _complaints(document: Any) -> list[str]:
    return [error.message for error in Draft7Validator(json_schema()).iter_errors(document)]


@pytest.fixture
def judged(loaded: Load, complaints: Complain) -> Judge:
    """The project that a text gives, or the loader's problems where the schema has any or the text is ``wrong``."""

    def judge(text: str, wrong: bool = False) -> tuple[Project | None, list[str]]:
        if wrong or _complaints(yaml.safe_load(text)):
            return None, complaints(text, head=False)
        return loaded(text, head=False), []

    return judge


def test_the_checked_in_schema_is_the_one_that_the_keys_make() -> None:
    written = (MANIFESTS / "manifest.schema.json").read_text(encoding="utf-8")
    assert written == json_schema_text(), "write it again: make tables"


def test_the_schema_is_a_schema() -> None:
    Draft7Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_satisfies_the_schema_and_names_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert _complaints(yaml.safe_load(text)) == []
    up = "../" * len(path.parent.relative_to(MANIFESTS).parts)
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={up}manifest.schema.json"


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
@pytest.mark.parametrize("profile", [None, "prototype", "nightly"])
def test_every_example_loads_with_its_profiles(path: Path, profile: str | None) -> None:
    if profile is None or "shared/defaults.yaml" in path.read_text(encoding="utf-8"):
        assert load(path, profile).assets


def test_the_demo_is_a_game() -> None:
    assets = load(MANIFESTS / "emberfall.yaml").assets
    masters = sum(asset.variations for asset in assets)
    seconds = sum(asset.variations * asset.duration_s for asset in assets)
    assert len(assets) >= 40
    assert masters >= 130
    assert seconds <= 12 * 60
    assert {asset.id.split("/")[0] for asset in assets} >= {"music", "stinger", "ambience", "sfx", "ui"}


def test_the_schema_has_defaults_and_examples_and_no_choice_that_hides_the_wrong_item() -> None:
    text = json_schema_text()
    assert "anyOf" not in text
    settings = json_schema()["definitions"]["KindSettings"]["properties"]
    assert settings["true_peak"]["default"] == "-1 dBTP"
    assert settings["variations"]["default"] == 1
    assert settings["loudness"]["examples"] == ["-14 LUFS"]
    assert settings["loudness"]["description"].endswith("Default: -16 LUFS for music, -23 LUFS for sfx.")
    broken = {
        "cuesmith": 1,
        "project": "a",
        "assets": [{"id": "b", "kind": "sfx", "prompt": "c", "bpm": "fast"}],
    }
    [error] = Draft7Validator(json_schema()).iter_errors(broken)
    assert list(error.absolute_path) == ["assets", 0, "bpm"]


def test_the_schema_names_every_key_with_a_description() -> None:
    schema = json_schema()
    for part in (schema, *schema["definitions"].values()):
        for name, key in part["properties"].items():
            assert key.get("description"), name


KEYS = [
    "duration: 40s",
    "duration: 1.5 s",
    "duration: 600ms",
    "duration: 3",
    "duration: '1:30'",
    "duration: 3 bars",
    "duration: -1",
    "duration: [1]",
    "loudness: -16 LUFS",
    "loudness: -16",
    "loudness: -16 dB",
    "loudness: 5",
    "true_peak: -1 dBTP",
    "true_peak: 1",
    "sample_rate: 48 kHz",
    "sample_rate: 44100",
    "sample_rate: 44101",
    "channels: 2",
    "channels: 3",
    "bpm: 92",
    "bpm: null",
    "bpm: fast",
    "loop: true",
    "loop: maybe",
    "tags: [a, 1, true]",
    "tags: a",
    "formats: [wav, ogg]",
    "formats: [aiff]",
    "formats: []",
    "bit_depth: 24",
    "bit_depth: float",
    "bit_depth: 20",
    "fade: 20ms",
    "fade: {in: 20ms, out: 0.1}",
    "fade: {up: 1s}",
    "quality: {gate: false, silence: -50 LUFS, tail_noise: 20 dB, seam: 2}",
    "quality: {clipping: 2}",
    "quality: {loud: 1}",
    "quality: {duplicates: 0.2}",
    "sampling: {top_k: 250, temperature: null}",
    "sampling: {top_k: many}",
    "sampling: null",
    "license: commercial",
    "license: mine",
    "credentials: required",
    "credentials: sign",
    "naming: 'x/{name}_{variation}'",
    "naming: null",
    "ucs: {category: FOOTHmn, name: Step}",
    "ucs: {name: Step}",
    "variations: 6",
    "variations: 0",
    "variations: 1.5",
    "seed: 1",
    "seed: -1",
    "lock: true",
    "model: a/b",
    "for_each: {x: a}",
    "for_each: {}",
    "colour: red",
    *(f"{key}: '{text}'" for key in ("bpm", "variations") for text in ("92", "+92", "many", "9 bars")),
    *(f"{key}: '{text}'" for key in ("seed", "width") for text in ("1", "01", "1.5.0", "")),
    *(f"{key}: '{text}'" for key in ("loop", "exact", "lock") for text in ("true", "false", "yes")),
    "variations: '9.5'",
    "bpm: '92.5'",
    "quality: {gate: 'false', dc: '0.1'}",
    "sampling: {temperature: '1', top_k: '5.5'}",
    "naming: 'steps'",
    "naming: UCS",
    "formats: [wav, wav]",
]


@pytest.mark.parametrize("key", KEYS)
def test_editor_and_loader_agree_on_a_key(key: str, judged: Judge) -> None:
    start = "" if key.startswith("duration") else ", duration: 9"
    project, problems = judged(f"{HEAD}assets:\n- {{id: a, kind: music, prompt: x{start}, {key}}}\n")
    assert problems if project is None else project.assets


@pytest.mark.parametrize(
    "text",
    [
        "sfx/door",
        "sfx/{x}/a",
        "{x}",
        "{x}{x}.{x}",
        "_a/b.c-",
        "sfx/wet door",
        "sfx//door",
        "/sfx",
        "sfx/",
        "sfx/-door",
        "sfx/.door",
        "sfx/door.",
        "{x}.",
        "{y}",
        "{x",
        "caf\u00e9",
        "",
        " a",
    ],
)
def test_editor_and_loader_agree_on_an_id(text: str, judged: Judge) -> None:
    family = ", for_each: {x: [p, q]}" if "{x}" in text else ""
    asset = f"{{id: '{text}', kind: sfx, prompt: x, duration: 9{family}}}"
    project, problems = judged(f"{HEAD}assets:\n- {asset}\n", wrong="{y}" in text)
    assert any(".id: " in line for line in problems) if project is None else project.assets


@pytest.mark.parametrize(
    "key",
    [
        *(f"{key}:" for key in ("include", "defaults", "profiles", "seed", "colour")),
        *(f"{key}: {{music: , sfx: }}" for key in ("defaults", "profiles")),
        "profiles: {p: {sfx: }}",
        "profiles: {p: {engine: }}",
        "defaults: {sfx: {sampling: }}",
        "defaults: {music: {quality: }}",
        "seed: '7'",
        "seed: '7.5'",
    ],
)
@pytest.mark.parametrize("start", ["cuesmith: 1\nproject: game", "cuesmith: '1'\nproject: '1.5'"])
def test_editor_and_loader_agree_on_a_head(start: str, key: str, judged: Judge) -> None:
    text = f"{start}\n{key}\nassets: []\n"
    project, problems = judged(text)
    assert problems if project is None else project.assets == ()


@pytest.mark.parametrize("lists", ["{x: [p]}", "{x: []}", "{2x: [p]}", "{x: }", "[x]", ""])
def test_editor_and_loader_agree_on_for_each(lists: str, judged: Judge) -> None:
    name = "2x" if "2x" in lists else "x"
    asset = f"{{id: 'a/{{{name}}}', kind: sfx, prompt: p, duration: 1, for_each: {lists}}}"
    project, problems = judged(f"{HEAD}assets:\n- {asset}\n")
    assert any(".for_each" in line for line in problems) if project is None else project.assets


@pytest.mark.parametrize("name", ["game", "a b", "a/b", "-a", "a.", "1.5", "b\u00e9"])
def test_editor_and_loader_agree_on_a_project(name: str, judged: Judge) -> None:
    text = f"cuesmith: 1\nproject: '{name}'\nassets: []\n"
    project, problems = judged(text)
    assert problems if project is None else project.name == name


def test_a_manifest_needs_its_assets_and_an_included_file_does_not() -> None:
    assert _complaints({"cuesmith": 1}) == []
    assert _complaints({"cuesmith": 1, "project": "a"}) != []
    assert _complaints({"cuesmith": 1, "assets": []}) != []
    assert _complaints({"project": "a", "assets": []}) != []
    sound = {"id": "a", "kind": "sfx", "prompt": "b"}
    assert _complaints({"cuesmith": 1, "project": "a", "assets": ["music.yaml", sound]}) == []
    assert _complaints({"cuesmith": 1, "project": "a", "assets": ["music"]}) != []
    assert _complaints({"cuesmith": 1, "assets": [sound]}) == []
    assert _complaints({"cuesmith": 1, "seed": 1, "assets": [sound]}) != []


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json_schema_text()) == json_schema()
