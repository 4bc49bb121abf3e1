"""What the engine asks for an asset, and what it says of what a model cannot do. No torch, no weights."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from specs import an_asset

from pipeline.generators import Engine, find_engine
from pipeline.generators.audiocraft.engine import ENGINE
from pipeline.generators.audiocraft.manifest_keys import AudioCraftKeys
from pipeline.generators.audiocraft.models import (
    BY_ID,
    FRAMES_A_SECOND,
    HELPERS,
    MBD,
    PUBLISHED,
    Model,
    windows,
)
from pipeline.generators.protocol import UNFETCHED
from pipeline.manifest.spec import AssetSpec, AudioInput, MasteringSpec

FILE = AudioInput("tune.wav", "/somewhere/tune.wav", "ab" * 32)
ASSET = an_asset(
    kind="music",
    prompt="calm",
    duration_s=10.0,
    engine="audiocraft",
    mastering=MasteringSpec(-16, -1, 48000, 2, 10.0, False, None, True, 0, 0),
)


def _asked(**changes: Any) -> AssetSpec:
    keys = {name: changes.pop(name) for name in AudioCraftKeys.__slots__ if name in changes}
    return replace(ASSET, **changes, engine_keys=keys)


def _problems(**changes: Any) -> list[str]:
    return [f"{p.field}: {p.what}; {p.remedy}" for p in ENGINE.requirements(_asked(**changes)).problems]


@given(
    st.sampled_from(["musicgen-small", "audiogen-medium"]),
    st.integers(1, 45_000).map(lambda milliseconds: milliseconds / 1000),
    st.booleans(),
    st.booleans(),
)
@example("musicgen-small", 25.01, False, False)
@example("audiogen-medium", 6.666, False, False)
def test_what_is_carried_on_and_what_is_made_fill_whole_frames_of_the_window(
    model: str, seconds: float, loop: bool, extend: bool
) -> None:
    kind = "sfx" if model.startswith("audiogen") else "music"
    changes = {"model": model, "kind": kind, "duration_s": seconds, "loop": loop, "extend": extend}
    ask = ENGINE.requirements(_asked(continue_from=FILE, **changes))
    heard, stride = float(ask.settings["prompt_s"] or 0) * FRAMES_A_SECOND, ask.settings.get("stride_s")
    frames, window = (
        math.ceil(ask.seconds * FRAMES_A_SECOND - 1e-6),
        int(BY_ID[f"facebook/{model}"].window_s * FRAMES_A_SECOND),
    )
    assert heard == pytest.approx(round(heard))
    if not ask.problems:
        passes = windows(
            round(heard) + frames, round(heard), window, stride and int(float(stride) * FRAMES_A_SECOND)
        )
        assert all(one.length <= window for one in passes)


def test_the_engine_is_found_by_its_name() -> None:
    assert find_engine("audiocraft") is ENGINE
    assert isinstance(ENGINE, Engine)


def test_asking_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from pipeline.generators import find_engine; e = find_engine('audiocraft'); e.devices();"
        "assert not {'torch', 'numpy', 'audiocraft', 'transformers'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_asset_gets_the_kinds_usual_model_and_audiocrafts_own_sampling() -> None:
    music = ENGINE.requirements(ASSET)
    assert (music.model.id, music.model.license, music.model.commercial) == (
        "facebook/musicgen-medium",
        "CC-BY-NC-4.0",
        False,
    )
    assert dict(music.settings) == {
        "temperature": 1.0,
        "top_k": 250,
        "top_p": 0.0,
        "cfg": 3.0,
        "decoder": "encodec",
    }
    assert ENGINE.requirements(_asked(kind="sfx", duration_s=4.0)).model.id == "facebook/audiogen-medium"


def test_the_organisation_may_be_left_out() -> None:
    assert ENGINE.requirements(_asked(model="musicgen-small")).model.id == "facebook/musicgen-small"


def test_sampling_of_the_asset_wins_key_by_key() -> None:
    settings = ENGINE.requirements(
        _asked(model="facebook/magnet-small-10secs", sampling={"top_k": 40, "cfg": 5.0})
    ).settings
    assert (settings["top_k"], settings["top_p"], settings["temperature"], settings["cfg"]) == (
        40,
        0.0,
        3.0,
        5.0,
    )


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.id)
def test_every_published_model_is_pinned_at_a_commit(model: Model) -> None:
    assert re.fullmatch("[0-9a-f]{40}", str(model.revision))
    assert sum(one.revision == model.revision for one in PUBLISHED) == 1
    assert ENGINE.requirements(_asked(model=model.id)).model.revision == model.revision


def test_a_commit_that_is_not_known_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        BY_ID, "facebook/musicgen-large", replace(BY_ID["facebook/musicgen-large"], revision=None)
    )
    assert ENGINE.requirements(_asked(model="musicgen-large")).model.revision == UNFETCHED


def test_an_unknown_model_names_those_there_are() -> None:
    [problem] = _problems(model="facebook/musicgen-tiny")
    assert "is no model that AudioCraft publishes" in problem
    assert "facebook/musicgen-stereo-large" in problem
    assert "audiogen" not in problem


def test_a_model_of_the_other_kind_names_those_that_fit() -> None:
    [problem] = _problems(kind="sfx", model="facebook/musicgen-small", duration_s=2.0)
    assert problem == (
        "model: facebook/musicgen-small makes music, and this asset is sfx; use one of: "
        "facebook/audiogen-medium, facebook/audio-magnet-small, facebook/audio-magnet-medium"
    )


def test_a_melody_that_a_model_does_not_hear_names_those_that_do() -> None:
    [problem] = _problems(model="facebook/musicgen-small", melody=FILE)
    assert problem.startswith("melody: facebook/musicgen-small does not hear melody; use one of: ")
    assert problem.count("melody-large") == 2
    assert not _problems(model="facebook/musicgen-melody", melody=FILE)


def test_no_sfx_model_hears_a_melody() -> None:
    assert _problems(kind="sfx", duration_s=2.0, melody=FILE) == [
        "melody: facebook/audiogen-medium does not hear melody; no sfx model hears one: remove melody"
    ]


def test_longer_than_the_window_says_what_to_set_and_what_it_costs() -> None:
    assert _problems(duration_s=45.0) == [
        "duration: 45s is longer than facebook/musicgen-medium's window of 30s; set extend: true (each further 18s is "
        "made with the 12s before it read again), or ask for 30s or less"
    ]
    [effects] = _problems(kind="sfx", duration_s=12.0)
    assert "each further 2s is made with the 8s before it read again" in effects


def test_extend_records_the_stride() -> None:
    ask = ENGINE.requirements(_asked(duration_s=45.0, extend=True))
    assert not ask.problems
    assert ask.settings["stride_s"] == 18.0
    assert "stride_s" not in ENGINE.requirements(_asked(duration_s=20.0, extend=True)).settings


def test_magnet_cannot_be_extended_and_names_what_can() -> None:
    [problem] = _problems(model="facebook/magnet-small-10secs", duration_s=12.0, extend=True)
    assert "ask for 10s or less, or extend: true with one of: facebook/musicgen-small" in problem


def test_continuation_leaves_room_in_the_window_for_what_is_heard() -> None:
    ask = ENGINE.requirements(_asked(duration_s=25.0, continue_from=FILE))
    assert (ask.settings["prompt_s"], dict(ask.conditioning)) == (5.0, {"continue_from": FILE.sha256})
    assert ENGINE.requirements(_asked(duration_s=5.0, continue_from=FILE)).settings["prompt_s"] == 10.0
    [problem] = _problems(duration_s=30.0, continue_from=FILE)
    assert "window of 30s with the audio that it carries on; set extend: true" in problem
    longer = ENGINE.requirements(_asked(duration_s=30.0, continue_from=FILE, extend=True))
    assert (longer.settings["prompt_s"], longer.settings["stride_s"]) == (10.0, 18.0)


def test_a_folder_that_is_not_there_is_named() -> None:
    [problem] = _problems(model="./nowhere/at-all")
    assert "./nowhere/at-all: no such folder" in problem


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.id)
def test_every_published_model_says_all_that_is_needed(model: Any) -> None:
    assert model.license == "CC-BY-NC-4.0"
    assert not model.commercial
    assert (model.kind == "sfx") == (model.sample_rate_hz == 16_000)
    assert model.channels == (2 if "stereo" in model.id else 1)
    assert model.window_s == (10.0 if "10secs" in model.id or model.kind == "sfx" else 30.0)
    assert ("melody" in model.hears) == ("melody" in model.id)
    assert model.revision is None or len(model.revision) == 40
    assert ENGINE.cost is not None


def test_another_decoder_is_part_of_the_recipe_with_its_weights() -> None:
    settings = ENGINE.requirements(_asked(decoder="mbd")).settings
    assert settings["decoder"] == "mbd"
    assert settings["decoder_weights"] == f"{MBD}@{HELPERS[MBD][1]}"
    assert "decoder_weights" not in ENGINE.requirements(ASSET).settings


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        (
            {"model": "musicgen-stereo-small"},
            "or use one of: facebook/musicgen-small, facebook/musicgen-medium",
        ),
        ({"model": "magnet-small-10secs"}, "or use one of: facebook/musicgen-small"),
        ({"model": "audiogen-medium", "kind": "sfx"}, "set decoder: encodec"),
    ],
)
def test_a_model_that_mbd_cannot_decode_names_those_that_it_can(changes: dict[str, str], remedy: str) -> None:
    [problem] = _problems(decoder="mbd", **changes)
    assert "'s codes are not what mbd was trained for: mono MusicGen at 32 kHz" in problem
    assert remedy in problem
    assert "stereo" not in problem.partition("use one of")[2]


def test_sketch_says_that_it_does_not_hear_a_decoder() -> None:
    assert "decoder" in find_engine("sketch").requirements(_asked(decoder="mbd")).ignored


def test_a_style_and_how_it_is_heard_are_part_of_the_recipe() -> None:
    asked = ENGINE.requirements(
        _asked(model="musicgen-style", style={"file": FILE, "at": 4.0, "codebooks": 2})
    )
    assert asked.problems == ()
    assert asked.conditioning == {"style": FILE.sha256}
    heard = {"style_excerpt_s": 3.0, "style_codebooks": 2, "cfg_text": 5.0, "style_at_s": 4.0}
    assert heard.items() <= asked.settings.items()
    assert (
        "style_at_s" not in ENGINE.requirements(_asked(model="musicgen-style", style={"file": FILE})).settings
    )
    assert "cfg_text" not in ENGINE.requirements(_asked(model="musicgen-style")).settings


def test_only_musicgen_style_hears_a_style() -> None:
    [problem] = _problems(model="musicgen-melody", style={"file": FILE})
    assert problem.endswith("does not hear style; use one of: facebook/musicgen-style")
    assert "style" in find_engine("sketch").requirements(_asked(style={"file": FILE})).ignored


@pytest.mark.parametrize(
    ("changes", "seconds", "extends"),
    [
        ({"loop": True}, 10.5, False),
        ({"loop": True, "duration_s": 29.8}, 30.0, False),
        ({"loop": True, "duration_s": 40.0, "extend": True}, 40.5, True),
        ({"loop": True, "continue_from": FILE, "duration_s": 29.0}, 29.0, False),
        ({"loop": True, "mastering": replace(ASSET.mastering, intro_s=4.0)}, 10.0, False),
        ({}, 10.0, False),
    ],
)
def test_a_loop_is_asked_with_what_its_end_is_faded_into_where_the_window_has_room(
    changes: dict[str, Any], seconds: float, extends: bool
) -> None:
    asked = ENGINE.requirements(_asked(**changes))
    assert not asked.problems
    assert asked.seconds == seconds
    assert ("stride_s" in asked.settings) is extends
