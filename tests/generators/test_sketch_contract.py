"""What every take of the sketch engine keeps, whatever the prompt."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from sketch_listening import RATE, make, mono, recipe

from pipeline.errors import GenerationError
from pipeline.gates import GATES
from pipeline.generators.sketch.dsp import mixing
from pipeline.generators.sketch.sfx.effect import FAMILIES
from pipeline.generators.sketch.synthesizer import SketchGenerator
from pipeline.mastering.seam import measure_seam

ONE_SHOTS = (
    "footstep on gravel",
    "glass shatters",
    "sword whoosh",
    "explosion",
    "laser",
    "ui click",
    "coin",
    "healing spell",
    "door creaks open",
    "dragon roar",
    "gunshot",
    "thunder",
    "splash",
    "blorp",
)
LOOPS = (
    "wind",
    "heavy rain",
    "campfire",
    "stream",
    "ocean waves",
    "car engine",
    "spaceship engine",
    "jet engine",
    "electric hum",
    "forest ambience",
    "dungeon ambience",
    "room tone",
    "alarm siren",
    "magic portal shimmer",
    "laser beam",
    "footsteps walking",
    "blorp",
)


def sane(samples):
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert 1e-4 < np.abs(samples).max() <= 1.0
    assert np.abs(samples.mean(axis=1)).max() < 0.01


@pytest.mark.parametrize("prompt", ONE_SHOTS)
def test_one_shots_are_mono_of_exact_length_that_begin_and_end_in_silence(prompt):
    samples = make(prompt, 1.3).clip.samples
    assert samples.shape == (1, round(1.3 * RATE))
    sane(samples)
    assert abs(samples[0, 0]) < 1e-3
    assert abs(samples[0, -1]) < 1e-3


@pytest.mark.parametrize("prompt", LOOPS)
def test_loops_are_stereo_of_exact_length_and_wrap_like_they_run(prompt):
    take = make(prompt, 2.0, loop=True)
    samples = take.clip.samples
    assert samples.shape == (2, 2 * RATE)
    assert take.loop == (0, 2 * RATE)
    sane(samples)
    within = np.abs(np.diff(samples, axis=1))
    across = np.abs(samples[:, 0] - samples[:, -1])
    assert (across <= within.max(axis=1) * 1.02).all()


@pytest.mark.parametrize("seed", [1, 4])
@pytest.mark.parametrize(
    "prompt",
    [
        "helicopter hovering", "diesel truck idling", "machinery in a factory", "generator", "dripping cave",
        "alarm klaxon", "motorcycle engine", "thunderstorm", "horse gallop", "chains rattling",
    ],
)  # fmt: skip
def test_loops_pass_the_seam_gates(prompt, seed):
    take = make(prompt, 4.0, loop=True, seed=seed)
    seam = measure_seam(take.clip, take.loop)
    limits = {gate.name: gate.limits["sfx"] for gate in GATES.values()}
    assert seam.click <= limits["loop seam"]
    assert seam.beat <= limits["loop beat"]
    assert max(seam.level_step, seam.spectral_step) <= limits["loop step"]


def test_the_calmest_place_is_away_from_what_happens():
    loop = np.full((2, 4 * RATE), 0.5, np.float32)
    loop[:, RATE : 2 * RATE] = 0.01
    assert RATE < mixing.calmest(loop) < 2 * RATE


@pytest.mark.parametrize(
    "prompt", ["wind", "heavy rain", "stream", "spaceship engine", "forest ambience", "room tone"]
)
def test_steady_loops_sound_the_same_across_the_seam(prompt):
    samples = make(prompt, 3.0, loop=True).clip.samples[0].astype(np.float64)
    size = 4096
    window = np.hanning(size)
    high = np.fft.rfftfreq(size, 1 / RATE) > 9000

    def hiss(start):
        piece = np.take(samples, np.arange(start, start + size), mode="wrap")
        return np.log10((np.abs(np.fft.rfft(piece * window))[high] ** 2).sum() + 1e-12)

    inside = np.array([hiss(start) for start in range(0, len(samples) - size, 2048)])
    assert hiss(len(samples) - size // 2) <= inside.max() + 0.3


def test_music_is_stereo_of_exact_length():
    samples = make("calm harp", 7.5, kind="music").clip.samples
    assert samples.shape == (2, 360_000)
    sane(samples)


def test_the_same_recipe_gives_the_same_bytes_alone_in_a_batch_and_in_another_process():
    asked = [
        recipe("laser", 0.4),
        recipe("epic battle", 4.0, kind="music", loop=True),
        recipe("rain", 1.0, loop=True),
    ]
    alone = [make(r.prompt, r.seconds, kind=r.kind, loop=r.settings["loop"]).clip.samples for r in asked]
    batch = {r.prompt: take.clip.samples for r, take in SketchGenerator().generate(asked[::-1], {})}
    for one, r in zip(alone, asked, strict=True):
        np.testing.assert_array_equal(one, batch[r.prompt])
    code = """
import hashlib, json, sys
sys.path.insert(0, "tests/generators")
from sketch_listening import make
takes = [make(p, s, kind=k, loop=l).clip.samples for p, s, k, l in json.loads(sys.argv[1])]
print(json.dumps([hashlib.sha256(take.tobytes()).hexdigest() for take in takes]))
"""
    rows = [[r.prompt, r.seconds, r.kind, r.settings["loop"]] for r in asked]
    root = Path(__file__).parents[2]
    out = subprocess.run(
        [sys.executable, "-c", code, json.dumps(rows)], check=True, capture_output=True, text=True, cwd=root
    )
    assert json.loads(out.stdout) == [hashlib.sha256(one.tobytes()).hexdigest() for one in alone]


def test_variations_differ():
    assert not np.array_equal(mono("footstep on wood", 0.5, seed=1), mono("footstep on wood", 0.5, seed=2))


@pytest.mark.parametrize("seconds", [0.8, 14.0])
def test_music_prompts_that_no_table_knows_all_differ(seconds):
    prompts = ("flurb", "b", "glorp", "風", "épée", "le vent", "бой", "chair", "table", "x1")
    takes = {make(prompt, seconds, kind="music").clip.samples.tobytes() for prompt in prompts}
    assert len(takes) == len(prompts)


def test_notes_are_json_and_say_what_was_heard():
    music = make("sad slow piano", 4.0, kind="music", loop=True).notes
    assert music["mode"] == "minor"
    assert "piano" in music["palette"]
    assert music["tempo_bpm"] > 0
    sound = make("footstep on snow", 0.4).notes
    assert (sound["family"], sound["surface"]) == ("footstep", "snow")
    assert make("zzz", 0.3).notes["family"] == "fallback"
    json.dumps([dict(music), dict(sound)], allow_nan=False)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(("seconds", "loop"), [(0.01, False), (0.01, True), (0.3, True)])
def test_every_family_fits_any_length(family, seconds, loop):
    samples = make(family.replace("_", " "), seconds, loop=loop).clip.samples
    assert samples.shape[1] == round(seconds * RATE)
    assert np.isfinite(samples).all()


@settings(max_examples=examples(24))
@given(
    prompt=st.text(max_size=60),
    seconds=st.floats(0.01, 0.6),
    kind=st.sampled_from(["music", "sfx"]),
    loop=st.booleans(),
    bpm=st.none() | st.floats(20, 400),
    seed=st.integers(0, 2**53 - 1),
)
def test_any_prompt_makes_sane_sound(prompt, seconds, kind, loop, bpm, seed):
    samples = make(prompt, seconds, kind=kind, loop=loop, bpm=bpm, seed=seed).clip.samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


WORDS = " ".join(
    [*ONE_SHOTS, *LOOPS, "slow fast huge tiny retro sci-fi old wooden no drums waltz solo piano"]
).split()


@settings(max_examples=examples(24))
@given(
    prompt=st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join),
    seconds=st.floats(0.01, 0.8),
    kind=st.sampled_from(["music", "sfx"]),
    loop=st.booleans(),
    seed=st.integers(0, 2**53 - 1),
)
def test_any_mixture_of_known_words_makes_sane_sound(prompt, seconds, kind, loop, seed):
    samples = make(prompt, seconds, kind=kind, loop=loop, seed=seed).clip.samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


@pytest.mark.parametrize("seed", range(8))
def test_a_loop_too_short_for_an_event_has_one_all_the_same(seed):
    sane(make("jingling keys", 0.1, loop=True, seed=seed).clip.samples)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan"), 1e9])
def test_impossible_lengths_are_errors_that_do_not_stop_the_rest(seconds):
    outcomes = list(SketchGenerator().generate([recipe("x", seconds), recipe("click", 0.1)], {}))
    assert isinstance(outcomes[0][1], GenerationError)
    assert not isinstance(outcomes[1][1], GenerationError)
