"""What an asset requires of a model: settings from tables, and a manifest's error for what a model cannot do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.errors import ManifestError
from pipeline.generators import engine_keys
from pipeline.generators.diffusers.engine import ENGINE
from pipeline.generators.diffusers.models import BY_ID, LICENSES, PUBLISHED
from pipeline.generators.protocol import Requirements
from pipeline.manifest.loader import load

OPEN = "stabilityai/stable-audio-open-1.0"
SMALL = "stabilityai/stable-audio-3-small-music"
BASE = "stabilityai/stable-audio-3-medium-base"
TURBO = "ACE-Step/acestep-v15-xl-turbo-diffusers"
SONGS = "ACE-Step/acestep-v15-xl-base-diffusers"


@pytest.fixture
def required(tmp_path: Path) -> Callable[[str], Requirements]:
    soundfile.write(tmp_path / "song.wav", [[0.1, 0.1]] * 8000, 8000)

    def of(asset: str, defaults: str = "{}") -> Requirements:
        text = f"cuesmith: 1\nproject: game\ndefaults: {{engine: diffusers, music: {defaults}}}\nassets:\n  - {asset}\n"
        (tmp_path / "cues.yaml").write_text(text)
        [spec] = load(tmp_path / "cues.yaml", None, engine_keys).assets
        return ENGINE.requirements(spec)

    return of


def music(model: str, more: str = "", duration: str = "20s") -> str:
    tail = f", {more}" if more else ""
    return f"{{id: a, kind: music, prompt: calm, model: {model}, duration: {duration}{tail}}}"


def test_the_default_models_make_what_they_are_for(required: Callable[[str], Requirements]) -> None:
    found = required("{id: a, kind: sfx, prompt: door, duration: 2s}")
    assert (found.model.id, found.settings, found.problems) == (OPEN, {"steps": 100, "guidance": 7.0}, ())
    found = required("{id: a, kind: music, prompt: calm, duration: 30s}")
    assert (found.model.id, found.settings, found.problems) == (TURBO, {"steps": 8}, ())
    assert (found.model.commercial, found.model.license) == (True, "MIT")


def test_keys_become_settings_of_the_recipe(required: Callable[[str], Requirements]) -> None:
    more = 'bpm: 90, key: A minor, time_signature: 3/4, lyrics: "[verse] hey", language: ja, steps: 12'
    assert required(music(TURBO, more)).settings == {
        "steps": 12,
        "bpm": 90.0,
        "key": "A minor",
        "time_signature": "3/4",
        "lyrics": "[verse] hey",
        "language": "ja",
    }
    found = required(music(OPEN, "negative: hiss, guidance: 4, start_from: {file: song.wav, strength: 0.4}"))
    assert found.settings == {"steps": 100, "guidance": 4.0, "negative": "hiss", "strength": 0.4}
    assert list(found.conditioning) == ["start_from"]


def test_an_edit_of_a_file_is_in_the_recipe(required: Callable[[str], Requirements]) -> None:
    found = required(music(TURBO, "repaint: {file: song.wav, from: 250ms, to: 1s}, loop: true, bpm: 100"))
    assert (found.seconds, found.problems, list(found.conditioning)) == (20.0, (), ["repaint"])
    assert found.settings == {"steps": 8, "bpm": 100.0, "from_s": 0.25, "to_s": 1.0, "file_loops": True}
    found = required(music(SONGS, "complete: {file: song.wav, tracks: [drums, bass]}"))
    assert (found.settings["tracks"], found.problems) == ("drums, bass", ())
    found = required(music(SONGS, "lego: {file: song.wav, track: strings}"))
    assert (found.settings["tracks"], list(found.conditioning)) == ("strings", ["lego"])


def test_lyrics_may_have_lines(required: Callable[[str], Requirements]) -> None:
    head = "id: a\n    kind: music\n    prompt: calm\n    duration: 20s\n"
    text = f"{head}    lyrics: |\n      [verse]\n      Light the fires"
    assert required(text).settings["lyrics"] == "[verse]\nLight the fires"


@pytest.mark.parametrize(
    ("asset", "field", "said"),
    [
        (music(SMALL, "negative: hiss"), "negative", BASE),
        (music(SMALL, "guidance: 3"), "guidance", OPEN),
        (music(TURBO, "negative: hiss"), "negative", OPEN),
        (music(OPEN, "lyrics: la"), "lyrics", TURBO),
        (music(SMALL, "key: A minor"), "key", TURBO),
        (music(SMALL, "time_signature: 3/4"), "time_signature", TURBO),
        (music(OPEN, "continue_from: song.wav"), "continue_from", SMALL),
        (music(SMALL, "continue_from: song.wav, start_from: song.wav"), "start_from", "remove one"),
        (music(BASE, "negative: hiss, start_from: song.wav"), "negative", "remove negative"),
        (music(SMALL, "melody: song.wav"), "melody", "engine: audiocraft"),
        (music(OPEN, "repaint: {file: song.wav, from: 0s, to: 1s}"), "repaint", SMALL),
        (music(TURBO, "lego: {file: song.wav, track: drums}"), "lego", SONGS),
        (music(SMALL, "extract: {file: song.wav, track: drums}"), "extract", SONGS),
        (music(TURBO, "complete: {file: song.wav, tracks: [drums]}"), "complete", SONGS),
        (
            music(SMALL, "repaint: {file: song.wav, from: 0s, to: 1s}", "0.5s"),
            "repaint",
            "an earlier end (to)",
        ),
        (
            music(SONGS, "lego: {file: song.wav, track: fx}, extract: {file: song.wav, track: fx}"),
            "extract",
            "extract and lego exclude each other",
        ),
        (
            music(SONGS, "lego: {file: song.wav, track: fx}, extend: true", "700s"),
            "duration",
            "ask for 600s or less",
        ),
        (music(OPEN, duration="60s"), "duration", SMALL),
        (music(SMALL, duration="130s"), "duration", "set extend: true, or ask for 120s or less"),
        (music(SMALL, "start_from: song.wav, extend: true", "130s"), "duration", "ask for 120s or less"),
        (music(TURBO, duration="5s"), "duration", "ask for 10s or more, or use one of"),
        ("{id: a, kind: sfx, prompt: door, model: " + TURBO + ", duration: 12s}", "model", OPEN),
        (music("stable-audio-9"), "model", "is no model of this engine"),
        (music("./nowhere"), "model", "no such folder"),
    ],
)
def test_what_a_model_cannot_do_is_a_problem_that_names_what_can(
    asset: str, field: str, said: str, required: Callable[[str], Requirements]
) -> None:
    problems = {problem.field: f"{problem.what}; {problem.remedy}" for problem in required(asset).problems}
    assert list(problems) == [field]
    assert said in problems[field]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("key: H minor", "write a key such as A minor"),
        ("time_signature: 5/4", "did you mean 4/4"),
        ("guidance: 0.5", "from 1 to 30"),
        ("steps: 0", "from 1 to 500"),
        ("start_from: {file: song.wav, strength: 0}", "from 0.01 to 1"),
        ("language: english", "write a code such as en"),
        ("start_from: {strength: 0.5}", "file: and a path"),
        ("repaint: {file: song.wav, from: 0.5s}", "to: and a time"),
        ("repaint: {file: song.wav, from: 0.5s, to: 0.5s}", "give a later end"),
        ("repaint: {file: song.wav, from: 0.5s, to: 2s}", "lasts 1 s, and the part ends at 2 s"),
        ("lego: {file: song.wav, track: drum}", "did you mean drums"),
        ("complete: {file: song.wav, tracks: []}", "tracks"),
        ("extract: song.wav", "is a single value, not a mapping"),
    ],
)
def test_values_out_of_range_are_faults_of_the_manifest(
    value: str, said: str, required: Callable[[str], Requirements]
) -> None:
    with pytest.raises(ManifestError, match=said):
        required(music(TURBO, value))


def test_loops_are_made_where_the_model_can(required: Callable[[str], Requirements]) -> None:
    made = required(music(SMALL, "loop: true"))
    assert (made.seconds, made.settings["seam_s"]) == (20.0, 4.0)
    bars = required(music(SMALL, "loop: true, bpm: 100", "7s"))
    assert (bars.seconds, bars.settings["seam_s"], bars.ignored) == (7.2, 1.8, ())
    assert required(music(TURBO, "loop: true, bpm: 100", "10s")).seconds == 12.0
    cut = required(music(OPEN, "loop: true"))
    assert cut.seconds == 20.5
    assert "seam_s" not in cut.settings
    assert "seam_s" not in required(music(SMALL, "loop: {intro: 4s}")).settings
    assert required(music(SMALL, "loop: true", "1s")).seconds == 1.5


def test_further_passes_and_continuations_state_what_they_hear(
    required: Callable[[str], Requirements],
) -> None:
    assert required(music(SMALL, "extend: true", "200s")).settings == {
        "steps": 8,
        "context_s": 30.0,
        "window_s": 120.0,
    }
    found = required(music(SMALL, "continue_from: song.wav", "60s"))
    assert (found.settings["context_s"], found.problems) == (30.0, ())
    assert [one.field for one in required(music(SMALL, "continue_from: song.wav", "100s")).problems] == [
        "duration"
    ]


def test_settings_that_mean_nothing_here_are_recorded(
    required: Callable[..., Requirements],
) -> None:
    found = required(music(SMALL, "bpm: 90, language: de"), "{sampling: {top_k: 9}, decoder: mbd}")
    assert found.ignored == ("sampling", "decoder", "bpm", "language")


def test_a_local_folder_is_known_by_its_content(
    tiny: Callable[..., Path], required: Callable[[str], Requirements], tmp_path: Path
) -> None:
    found = required(music(str(tiny("stable-audio-3")), duration="4s"))
    assert found.problems == ()
    assert found.model.revision.startswith("sha256:")
    assert (found.model.id, found.model.sample_rate_hz, found.model.license) == (
        "local/stable-audio-3",
        8000,
        "unknown",
    )
    assert found.settings == {"steps": 8}
    base = required(music(str(tiny("stable-audio-3", "base", distilled=False)), duration="4s"))
    assert base.settings == {"steps": 100, "guidance": 7.0}
    without = required(music(str(tiny("ace-step", "plain", tokens=False)), "start_from: song.wav"))
    assert [one.field for one in without.problems] == ["start_from"]


def test_a_converted_folder_may_say_which_model_it_is(
    tiny: Callable[..., Path], required: Callable[[str], Requirements]
) -> None:
    folder = tiny("stable-audio-3", "declared")
    (folder / "cuesmith.json").write_text(json.dumps({"model": "stable-audio-3-medium"}))
    found = required(music(str(folder), duration="300s"))
    assert (found.model.id, found.problems) == ("stabilityai/stable-audio-3-medium", ())
    assert found.model.license == "Stability AI Community License"
    assert found.model.revision.startswith("sha256:")
    (folder / "cuesmith.json").write_text(json.dumps({"model": OPEN}))
    [problem] = required(music(str(folder))).problems
    assert "does not name the published model of this pipeline" in problem.what


def test_every_published_licence_has_its_source_and_day() -> None:
    for model in PUBLISHED:
        license = LICENSES[model.license]
        assert license.terms
        assert license.terms.source.startswith("https://")
        assert license.terms.read


def test_the_page_of_the_engine_has_every_model_and_licence() -> None:
    page = (Path(__file__).parents[3] / "docs" / "diffusers.md").read_text(encoding="utf-8")
    for model in PUBLISHED:
        terms = LICENSES[model.license].terms
        assert terms
        assert f"`{model.id.removesuffix('-base')}`" in page or f"`{model.id}`" in page
        assert f"<{terms.source}>, {terms.read}" in page
        assert f"{model.longest_s:g} s" in page


def test_planning_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    (tmp_path / "cues.yaml").write_text(
        "cuesmith: 1\nproject: game\ndefaults: {engine: diffusers}\nassets:\n"
        "  - {id: a, kind: sfx, prompt: door, duration: 2s}\n"
    )
    code = (
        "import sys; from flows.cli import main; sys.argv[1:] = ['validate', 'cues.yaml']\n"
        "try: main()\nexcept SystemExit as end: code = end.code\n"
        "print(code or 0, sorted({'torch', 'numpy', 'diffusers', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stdout + done.stderr


def test_a_plan_estimates_and_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "cues.yaml").write_text(
        "cuesmith: 1\nproject: game\ndefaults: {engine: diffusers}\nassets:\n"
        "  - {id: a, kind: sfx, prompt: door, duration: 2s}\n"
    )
    done = CliRunner().invoke(
        app, ["plan", str(tmp_path / "cues.yaml"), "-o", str(tmp_path / "outputs"), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert "models fetch --engine diffusers" in done.output
    assert set(BY_ID) == {model.id for model in PUBLISHED}
