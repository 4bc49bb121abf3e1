"""The chain: one gain an asset, exact lengths, loops that wrap, failures that stay alone."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mastering_signals import RATE, coloured_noise, joined, silence, tone
from properties import examples

from pipeline.audio import Clip, pcm_sha256
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.chain import Master, master
from pipeline.mastering.edits import sounding_range
from pipeline.mastering.limiter import apply_gain
from pipeline.mastering.measure import measure
from pipeline.mastering.shape import TakeInput

SFX = MasteringSpec(
    loudness_lufs=-18.0,
    true_peak_dbtp=-1.0,
    sample_rate_hz=RATE,
    channels=1,
    duration_s=2.0,
    loop=False,
    bpm=None,
    trim=True,
    fade_in_s=0.0,
    fade_out_s=0.0,
)
MUSIC = replace(SFX, loudness_lufs=-16.0, channels=2, duration_s=8.0, trim=False)
LOOP = replace(MUSIC, loop=True)


def burst(seed: int, seconds: float = 0.5, level: float = 0.0) -> Clip:
    noise = coloured_noise(seed, seconds, 1)
    decay = np.exp(-np.arange(noise.length) / (0.1 * RATE)).astype(np.float32)
    return Clip(noise.samples / np.abs(noise.samples).max() * decay * np.float32(10 ** (level / 20)), RATE)


def good(group: tuple[Master | MasteringError, ...]) -> list:
    assert not any(isinstance(result, MasteringError) for result in group)
    return list(group)


@settings(max_examples=examples(20))
@given(
    seed=st.integers(0, 2**32),
    seconds=st.floats(0.06, 6),
    channels=st.integers(1, 2),
    target=st.floats(-30, -10),
    rate=st.sampled_from([16000, 32000, 44100, 48000]),
    trim=st.booleans(),
)
def test_a_master_is_on_target_or_says_why_and_never_above_the_ceiling(
    seed: int, seconds: float, channels: int, target: float, rate: int, trim: bool
) -> None:
    spec = replace(SFX, loudness_lufs=target, duration_s=seconds, trim=trim)
    (made,) = good(master([TakeInput(coloured_noise(seed, seconds, channels, rate))], spec))
    measured = measure(made.clip)
    loud = measured.integrated_lufs if made.clip.seconds >= 3 else measured.momentary_max_lufs
    assert measured.true_peak_dbtp <= -1.0
    assert abs(loud - target) <= 0.2 or made.deviation == "true-peak ceiling"
    assert made.measured.integrated_lufs == pytest.approx(measured.integrated_lufs, abs=1e-3)
    assert made.measured.true_peak_dbtp == pytest.approx(measured.true_peak_dbtp, abs=1e-3)


def test_variations_share_one_gain_so_that_their_relations_stay() -> None:
    takes = [TakeInput(burst(1, level=level)) for level in (-20, -26, -23)]
    group = master(takes, replace(SFX, loudness_lufs=-26.0))
    gains = {made.gain_db for made in good(group)}
    loud = [made.measured.momentary_max_lufs for made in good(group)]
    assert len(gains) == 1
    assert loud[0] - loud[1] == pytest.approx(6.0, abs=0.05)
    assert 10 * np.log10(np.mean(10 ** (np.array(loud) / 10))) == pytest.approx(-26.0, abs=0.1)
    assert {made.deviation for made in good(group)} <= {"shared gain", None}


def test_each_variation_reaches_the_target_with_its_own_gain() -> None:
    takes = [TakeInput(burst(1, level=level)) for level in (-20, -26, -23)]
    group = master(takes, replace(SFX, loudness_lufs=-26.0, gain="each"), gain_anchor_db=3.5)
    for made, take in zip(good(group), takes, strict=True):
        assert measure(made.clip).momentary_max_lufs == pytest.approx(-26.0, abs=0.2)
        assert made.deviation is None
        [alone] = good(master([take], replace(SFX, loudness_lufs=-26.0)))
        assert pcm_sha256(made.clip) == pcm_sha256(alone.clip)
    assert len({made.gain_db for made in good(group)}) == 3


def test_a_higher_limit_comes_nearer_to_the_target_and_never_works_harder_than_it_may() -> None:
    take = TakeInput(burst(1, level=-20))
    made = [good(master([take], replace(SFX, loudness_lufs=-6.0, limit_db=limit)))[0] for limit in (0, 6, 12)]
    loud = [measure(one.clip).momentary_max_lufs for one in made]
    assert loud == sorted(loud)
    assert loud[0] < loud[1] - 1.0
    for one, limit in zip(made, (0, 6, 12), strict=True):
        assert one.limited_db <= limit + 0.5
        assert measure(one.clip).true_peak_dbtp <= -1.0


def test_a_late_sibling_takes_the_gain_of_those_approved_before() -> None:
    group = master([TakeInput(burst(1, level=-20))], SFX, gain_anchor_db=3.5)
    (made,) = good(group)
    assert made.gain_db == 3.5
    assert made.deviation == "gain of the approved sibling"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (silence(1, 1), "silent"),
        (apply_gain(tone(1, -10, 1), -85), "silent|LUFS"),
        (Clip(np.zeros((1, 0), np.float32), RATE), "empty"),
        (Clip(np.full((1, 999), np.nan, np.float32), RATE), "NaN"),
        (Clip(np.zeros((3, 999), np.float32), RATE), "3 channels"),
    ],
)
def test_one_bad_take_fails_alone_with_its_reason(bad: Clip, reason: str) -> None:
    spec = replace(SFX, channels=2) if bad.channels == 3 else SFX
    alone = master([TakeInput(burst(1)), TakeInput(burst(2))], spec)
    group = master([TakeInput(burst(1)), TakeInput(bad), TakeInput(burst(2))], spec)
    error = group[1]
    assert isinstance(error, MasteringError)
    assert re.search(reason, str(error))
    ours = [pcm_sha256(made.clip) for made in (group[0], group[2])]
    assert ours == [pcm_sha256(made.clip) for made in alone]


def test_near_silence_is_never_raised_by_a_huge_gain() -> None:
    (made,) = good(master([TakeInput(apply_gain(tone(1, -10, 1), -55))], SFX))
    assert made.gain_db == 40.0
    assert made.deviation == "gain limit"


def test_nothing_but_bad_takes_gives_nothing_but_errors() -> None:
    group = master([TakeInput(silence(1, 1))] * 2, SFX)
    assert all(isinstance(result, MasteringError) for result in group)
    assert len(group) == 2


def test_a_click_is_levelled_by_its_peak() -> None:
    group = master([TakeInput(tone(0.02, -30, 1))], SFX)
    (made,) = good(group)
    assert next(step["method"] for step in made.chain if step["step"] == "gain") == "peak"
    assert made.measured.true_peak_dbtp == pytest.approx(-6.0, abs=0.01)


@settings(max_examples=examples(20))
@given(before=st.floats(0, 0.5), after=st.floats(0, 0.5), pause=st.floats(0, 0.4), level=st.floats(-50, 0))
def test_trim_cuts_the_ends_and_never_inside_a_sound(
    before: float, after: float, pause: float, level: float
) -> None:
    part = apply_gain(tone(0.1, 0, 1), level)
    clip = joined(silence(before, 1), part, silence(pause, 1), part, silence(after, 1))
    start, stop = sounding_range(clip)
    loud = np.flatnonzero(np.abs(clip.samples[0]) > 10 ** ((level - 59) / 20))
    assert start <= loud[0]
    assert stop > loud[-1]
    assert loud[0] - start <= 0.003 * RATE
    assert stop - loud[-1] <= 0.032 * RATE


def test_a_trimmed_sound_ends_early_and_never_late() -> None:
    short = good(master([TakeInput(joined(silence(0.2, 1), burst(3), silence(0.7, 1)))], SFX))[0]
    long = good(master([TakeInput(coloured_noise(3, 5, 1))], SFX))[0]
    assert short.clip.seconds < 0.6
    assert long.clip.length == 2 * RATE
    assert abs(long.clip.samples[0, -1]) < 1e-3


@pytest.mark.parametrize("seconds", [3.0, 7.9999, 8.0, 11.3])
def test_music_is_exactly_as_long_as_asked(seconds: float) -> None:
    (made,) = good(master([TakeInput(coloured_noise(4, seconds, 2))], MUSIC))
    assert made.clip.length == 8 * RATE


def test_asked_fades_are_made() -> None:
    spec = replace(MUSIC, fade_in_s=1.0, fade_out_s=2.0)
    (made,) = good(master([TakeInput(tone(8, -20))], spec))
    level = np.abs(made.clip.samples[0]).reshape(80, -1).max(axis=1)
    assert level[4] < 0.6 * level[30]
    assert level[-10] == pytest.approx(0.5 * level[30], rel=0.2)


def test_mono_becomes_stereo_and_stereo_mono() -> None:
    stereo = good(master([TakeInput(burst(1))], replace(SFX, channels=2)))[0].clip
    mono = good(master([TakeInput(coloured_noise(1, 1, 2))], SFX))[0].clip
    assert (stereo.channels, mono.channels) == (2, 1)
    assert np.array_equal(stereo.samples[0], stereo.samples[1])


def test_channels_out_of_phase_do_not_cancel_in_mono() -> None:
    wave = tone(1, -20, 1).samples
    (made,) = good(master([TakeInput(Clip(np.concatenate([wave, -wave]), RATE))], SFX))
    assert made.chain[0]["how"] == "channel 0"
    assert made.deviation is None


def test_a_dc_offset_is_taken_out() -> None:
    (made,) = good(master([TakeInput(Clip(tone(1, -20, 1).samples + np.float32(0.05), RATE))], SFX))
    assert abs(made.measured.dc_offset) < 0.002
    assert made.chain[0]["step"] == "dc"


@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_a_sound_to_one_side_leaves_its_silence_on_zero(offset: float) -> None:
    thump = np.zeros(2 * RATE)
    thump[4800:9600] = 0.8 * np.sin(np.pi * np.arange(4800) / 4800) * np.exp(-np.arange(4800) / 2000)
    (made,) = good(master([TakeInput(Clip((thump + offset)[None].astype(np.float32), RATE))], SFX))
    assert made.clip.seconds < 0.15
    assert made.clip.samples.min() > -1e-4
    assert [step for step in made.chain if step["step"] == "dc"] == (
        [{"step": "dc", "offset": [pytest.approx(offset, abs=1e-6)]}] if offset else []
    )


def wrapped_step(clip: Clip) -> float:
    """Second difference across the wrap over the largest inside."""
    tripled = np.tile(clip.samples, (1, 3)).astype(np.float64)
    corners = np.abs(np.diff(tripled, n=2, axis=1)).max(axis=0)
    seams = [place for turn in (1, 2) for place in range(turn * clip.length - 2, turn * clip.length)]
    return corners[seams].max() / np.delete(corners, seams).max()


@pytest.mark.parametrize("rate", [32000, 44100, 48000])
@pytest.mark.parametrize("level", [-20.0, 3.0])
def test_a_declared_loop_is_cut_there_and_still_wraps_after_rate_and_limiter(rate: int, level: float) -> None:
    length = rate * 4 + 3
    random = np.random.default_rng(7)
    spectrum = np.zeros((2, length // 2 + 1), complex)
    spectrum[:, 100:4000] = random.standard_normal((2, 3900)) + 1j * random.standard_normal((2, 3900))
    wave = np.fft.irfft(spectrum, length)
    wave = (wave / np.abs(wave).max() * 10 ** (level / 20)).astype(np.float32)
    outside = random.standard_normal((2, 5000)).astype(np.float32)
    take = TakeInput(Clip(np.concatenate([outside, wave, outside], axis=1), rate), (5000, 5000 + length))
    (made,) = good(master([take], replace(LOOP, loudness_lufs=-8.0)))
    assert made.clip.length == round(length * RATE / rate)
    assert made.loop == (0, made.clip.length)
    assert wrapped_step(made.clip) <= 1.0
    assert measure(made.clip, circular=True).true_peak_dbtp <= -1.0
    assert made.limited_db > 0


@pytest.mark.parametrize("bpm", [None, 60.0, 92.0, 140.0])
def test_a_loop_is_found_on_the_bar_grid_and_wraps(bpm: float | None) -> None:
    (made,) = good(master([TakeInput(coloured_noise(9, 10.5, 2))], replace(LOOP, bpm=bpm)))
    beat = 60 / bpm if bpm else None
    assert wrapped_step(made.clip) <= 1.0
    if beat is None:
        assert made.clip.length == 8 * RATE
    else:
        bars = made.clip.seconds / beat / 4
        assert abs(made.clip.length - round(round(bars) * 4 * beat * RATE)) <= 1
        assert abs(made.clip.seconds - 8.0) <= 2 * beat + 0.001


def test_a_take_too_short_for_its_loop_gives_a_shorter_one_and_says_so() -> None:
    (made,) = good(master([TakeInput(coloured_noise(9, 8.0, 2))], LOOP))
    step = next(step for step in made.chain if step["step"] == "loop")
    assert step["shortened"]
    assert made.clip.length < 8 * RATE


def test_loop_points_outside_the_take_are_an_error_of_the_engine() -> None:
    group = master([TakeInput(coloured_noise(9, 1.0, 2), (0, 999_999))], LOOP)
    assert "bug in the engine" in str(group[0])


SCRIPT = """
import numpy as np
from dataclasses import replace
from pipeline.audio import Clip, pcm_sha256
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.shape import TakeInput
from pipeline.mastering.chain import master
random = np.random.default_rng(5)
noise = [random.standard_normal((2, 90_000)) * level for level in (2, 0.1)]
takes = [TakeInput(Clip(one.astype(np.float32), 32000)) for one in noise]
for loop in (False, True):
    group = master(takes, MasteringSpec(-12.0, -1.0, 48000, 2, 2.0, loop, 90.0, not loop, 0.0, 0.1))
    print(group[0].gain_db, *(pcm_sha256(made.clip) for made in group))
"""


def test_another_process_with_other_threads_gives_the_same_bytes() -> None:
    answers = set()
    for threads in ("1", "2"):
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, check=True, env=_environment(environment)
        )
        answers.add(hashlib.sha256(done.stdout).hexdigest())
        assert done.stdout.count(b"\n") == 2
    assert len(answers) == 1


def _environment(extra: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **extra}
