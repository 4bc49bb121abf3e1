"""Loops are cut where the music repeats, and their seams are measured."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mastering_signals import RATE, coloured_noise
from properties import examples

from pipeline.audio import Clip, Loop
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.chain import master
from pipeline.mastering.limiter import limit_looped, looped_peaks
from pipeline.mastering.loop import cut_loop, wrapped
from pipeline.mastering.seam import measure_seam
from pipeline.mastering.shape import TakeInput, shape
from pipeline.quality import GateInput, limits_of, score


def beats(seconds: float, bpm: float, seed: int = 0) -> Clip:
    """Chords of four bars, a kick on the first beat of two, hats between: dull to hear, clear to measure."""
    random = np.random.default_rng(seed)
    beat = 60 / bpm
    wave = 0.002 * random.standard_normal(round(seconds * RATE) + 4 * RATE)
    hit = np.arange(RATE // 2) / RATE
    for number in range(int(seconds / beat) + 1):
        place = round(number * beat * RATE)
        if number % 2 == 0:
            wave[place : place + len(hit)] += 0.6 * np.sin(2 * np.pi * 60 * hit) * np.exp(-hit * 9)
        hat = round((number + 0.5) * beat * RATE)
        wave[hat : hat + 4800] += 0.1 * random.standard_normal(4800) * np.exp(-np.arange(4800) / 800)
        chord = [(220, 277, 330), (196, 247, 294), (165, 208, 247), (220, 262, 330)][number // 4 % 4]
        time = np.arange(round(beat * RATE) + 2400) / RATE
        swell = np.minimum(1, time / 0.05) * np.minimum(1, (time[-1] - time) / 0.05)
        wave[place : place + len(time)] += (
            0.1 * swell * sum(np.sin(2 * np.pi * note * time) for note in chord)
        )
    return Clip(wave[None, : round(seconds * RATE)].astype(np.float32), RATE)


def test_a_loop_cut_on_its_bars_hides_its_seam_and_a_straight_cut_does_not() -> None:
    music = beats(20, 120)
    made = cut_loop(music, 8.0, 120).clip
    seam = measure_seam(made, (0, made.length))
    assert made.length == 8 * RATE
    assert seam.click < 1.0
    assert seam.score > 0.6
    for short in (777, 5000, 30_000, 100_000):
        straight = Clip(music.samples[:, 8 * RATE : 16 * RATE - short], RATE)
        assert measure_seam(straight, (0, straight.length)).click > 1.2


@settings(max_examples=examples(10))
@given(seed=st.integers(0, 2**32))
def test_noise_that_repeats_has_no_seam_wherever_it_is_turned(seed: int) -> None:
    random = np.random.default_rng(seed)
    length = 4 * RATE
    spectrum = np.exp(2j * np.pi * random.random((1, length // 2 + 1))) / (1 + np.arange(length // 2 + 1))
    spectrum[:, 0] = 0
    wave = np.fft.irfft(spectrum, length)
    turned = np.roll(wave / np.abs(wave).max() * 0.5, int(random.integers(length)), axis=1).astype(np.float32)
    assert measure_seam(Clip(turned, RATE), (0, length)).click < 1.2


def test_a_jump_in_level_is_a_step_even_without_a_click() -> None:
    noise = np.random.default_rng(1).standard_normal((1, 4 * RATE)) * np.linspace(1, 0.05, 4 * RATE) * 0.2
    seam = measure_seam(Clip(noise.astype(np.float32), RATE), (0, 4 * RATE))
    assert seam.level_step > 2.5


def test_silence_and_the_shortest_loops_measure_nothing() -> None:
    assert measure_seam(Clip(np.zeros((2, RATE), np.float32), RATE), (0, RATE)).score == 1.0
    assert measure_seam(coloured_noise(1, 0.1, 1), (0, 500)).score == 1.0


@pytest.mark.parametrize("loop", [Loop(-1, 10), Loop(5, 5), Loop(0, 101)])
def test_a_loop_outside_its_clip_is_refused(loop: Loop) -> None:
    with pytest.raises(ValueError, match="outside"):
        measure_seam(Clip(np.zeros((1, 100), np.float32), RATE), loop)


@pytest.mark.parametrize("played", [119.3, 120.0, 120.8])
def test_the_tempo_really_played_decides_the_length(played: float) -> None:
    loop_cut = cut_loop(beats(22, played), 16.0, 120)
    assert loop_cut.record["beats"] == 32
    assert loop_cut.record["bpm"] == pytest.approx(played, abs=0.05)


def test_noise_stays_on_the_grid() -> None:
    for seed in range(6):
        noise = np.random.default_rng(seed).standard_normal((1, 12 * RATE)) * 0.1
        assert cut_loop(Clip(noise.astype(np.float32), RATE), 8.0, 120).clip.length == 8 * RATE


def test_in_free_time_the_start_is_where_the_sound_comes_again() -> None:
    random = np.random.default_rng(4)

    def texture(seconds: float, slope: float) -> np.ndarray:
        spectrum = np.fft.rfft(random.standard_normal(round(seconds * RATE)))
        spectrum *= np.maximum(np.arange(len(spectrum)), 50.0) ** slope
        wave = np.fft.irfft(spectrum)
        return wave / np.sqrt(np.mean(wave**2)) * 0.1

    wave = np.concatenate([texture(1.0, -1.0), texture(4.0, 0.0), texture(1.0, -1.0), texture(2.0, 0.0)])
    loop_cut = cut_loop(Clip(wave[None].astype(np.float32), RATE), 5.0, None)
    assert loop_cut.clip.length == 5 * RATE
    assert 0.0 <= loop_cut.record["start_s"] <= 2.0
    assert loop_cut.record["difference_db"] < 6.0


def test_a_crossfade_keeps_the_level_of_what_is_alike_and_of_what_is_not() -> None:
    noise = np.random.default_rng(2).standard_normal((1, 3 * RATE)) * 0.1
    unlike, _ = wrapped(noise.astype(np.float32), 2 * RATE, RATE)
    alike, _ = wrapped(np.tile(noise[:, :RATE], 3).astype(np.float32), 2 * RATE, RATE)
    quarter = RATE // 4
    for samples in (unlike, alike):
        level = np.sqrt(np.mean(samples[:, :RATE].reshape(4, quarter) ** 2, axis=1))
        assert 20 * np.log10(level.max() / level.min()) < 0.5
    assert np.allclose(alike[:, :RATE], noise[:, :RATE], atol=1e-3)


def closed(clip: Clip) -> set[str]:
    """Loop gates that close on a clip that is meant to wrap."""
    failures = score(GateInput(clip, loop=Loop(0, clip.length)), limits_of("sfx")).failures
    return {failure.name for failure in failures if failure.name.startswith("loop")}


def straight_cuts(clip: Clip, count: int = 4) -> list[Clip]:
    """Cuts of 5 to 8 s wherever chance has it."""
    random = np.random.default_rng(clip.length)
    starts, lengths = random.integers(0, RATE, count), random.integers(5 * RATE, 8 * RATE, count)
    return [
        Clip(clip.samples[:, start : start + length], RATE)
        for start, length in zip(starts, lengths, strict=True)
    ]


def low_noise(random: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(random.standard_normal(10 * RATE))
    return np.fft.irfft(spectrum * np.maximum(np.arange(len(spectrum)), 400.0) ** -1.4)


def drone(random: np.random.Generator) -> np.ndarray:
    places = np.arange(10 * RATE) / RATE
    pitches, phases = random.uniform(80, 900, (2, 8))
    return sum(
        np.sin(2 * np.pi * pitch * places + phase) for pitch, phase in zip(pitches, phases, strict=True)
    ) + 0.02 * random.standard_normal(len(places))


def motor(random: np.random.Generator) -> np.ndarray:
    turns = random.uniform(60, 90) * np.arange(10 * RATE) / RATE
    return 2 * (turns % 1) - 1 + 0.1 * low_noise(random)


@pytest.mark.parametrize("sound", [low_noise, drone, motor])
def test_what_can_be_foretold_tells_a_straight_cut_from_a_loop_that_was_made(sound) -> None:
    wave = sound(np.random.default_rng(11))
    take = Clip((0.3 * wave / np.abs(wave).max())[None].astype(np.float32), RATE)
    made = cut_loop(take, 7.0, None).clip
    assert measure_seam(made, (0, made.length)).click < 1.0
    assert closed(made) == set()
    for turn in (RATE, 3 * RATE):
        turned = Clip(np.roll(made.samples, turn, axis=1), RATE)
        assert measure_seam(turned, (0, turned.length)).click < 1.2
    cuts = [measure_seam(cut, (0, cut.length)).click for cut in straight_cuts(take)]
    assert sum(click > 1.2 for click in cuts) >= 3
    assert np.median(cuts) > 3.0


def drums(count: int, beat: int) -> np.ndarray:
    """Kick and snare by turns with silence between, a hat on every half beat."""
    random, fall = np.random.default_rng(5), np.exp(-np.arange(beat // 2) / (0.02 * RATE))
    kick = np.sin(2 * np.pi * 70 * np.arange(len(fall)) / RATE) * fall
    wave = np.zeros(count * beat)
    for half in range(2 * count):
        hit = (
            kick
            if half % 4 == 0
            else random.standard_normal(len(fall)) * fall * (0.5 if half % 4 == 2 else 0.1)
        )
        wave[half * (beat // 2) :][: len(hit)] += hit
    return wave


def test_struck_music_cut_off_the_beat_fails_though_nothing_clicks() -> None:
    beat = round(60 / 110 * RATE)
    struck = Clip(np.roll(0.3 * drums(24, beat), beat // 6)[None].astype(np.float32), RATE)
    whole = Clip(struck.samples[:, : 16 * beat], RATE)
    assert measure_seam(whole, (0, whole.length)).beat < 0.5
    for late in (0.2, 0.3, 0.7):
        cut = Clip(struck.samples[:, : round((15 + late) * beat)], RATE)
        assert measure_seam(cut, (0, cut.length)).beat > 1.5
        assert "loop beat" in closed(cut)


def test_a_loop_that_begins_on_an_attack_is_held_against_its_other_beats() -> None:
    beat, random = RATE // 2, np.random.default_rng(8)
    ring, places = np.zeros(24 * beat), np.arange(3 * RATE) / RATE
    for number in range(24):
        pitch = 220 * 2 ** (random.choice([0, 3, 5, 7, 10]) / 12)
        note = np.sin(2 * np.pi * pitch * places) * np.exp(-4 * places) * np.minimum(1, places / 0.002)
        ring[(number * beat + np.arange(len(note))) % len(ring)] += note
    whole = Clip((0.3 * ring)[None].astype(np.float32), RATE)
    assert closed(whole) == set()
    assert closed(Clip(whole.samples[:, : -beat // 3], RATE))


def test_two_channels_with_one_sound_are_no_more_evidence_than_one() -> None:
    noise = coloured_noise(2, 6.0, 1)
    twice = Clip(np.repeat(noise.samples, 2, axis=0), RATE)
    one, two = (measure_seam(clip, (0, clip.length)).click for clip in (noise, twice))
    assert two == pytest.approx(one, rel=1e-3)


def test_white_noise_tells_nothing_so_a_cut_of_it_passes() -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).standard_normal((1, 5 * RATE)) * 0.1
        clip = Clip(noise.astype(np.float32), RATE)
        assert measure_seam(clip, (0, clip.length)).click < 1.2


def intro_spec(intro_s: float, seconds: float, bpm: float | None, **more: object) -> MasteringSpec:
    return MasteringSpec(-30.0, -1.0, RATE, 1, seconds, True, bpm, False, 0.0, 0.0, intro_s=intro_s, **more)


def test_an_intro_stays_as_it_was_and_the_loop_comes_back_to_its_end() -> None:
    take = beats(22, 120)
    (made,) = master([TakeInput(take)], intro_spec(4.0, 20.0, 120))
    start, end = made.loop
    assert end == made.clip.length
    assert 4 * RATE - 480 <= start < 4 * RATE
    assert end - start == 16 * RATE
    cut = round(next(step["start_s"] for step in made.chain if step["step"] == "loop") * RATE)
    intro = take.samples[0, cut : cut + 3 * RATE] * 10 ** (made.gain_db / 20)
    assert np.allclose(np.diff(made.clip.samples[0, : 3 * RATE]), np.diff(intro), atol=1e-6)
    assert made.seam.click < 1.0
    assert made.seam.beat < 1.0
    straight = Clip(made.clip.samples[:, : end - 5000], RATE)
    assert measure_seam(straight, (start, straight.length)).click > 1.2


@pytest.mark.parametrize("start", [700, 9_600, 40_000])
def test_a_limiter_meets_the_loop_with_one_gain_from_intro_and_from_end(start: int) -> None:
    random = np.random.default_rng(start)
    wave = 0.5 * np.sin(2 * np.pi * 50 * np.arange(3 * RATE) / RATE)
    for place in (start - 300, start + 200, 3 * RATE - 90, 2 * RATE):
        wave[place : place + 40] += random.uniform(0.8, 1.5)
    clip = Clip(wave[None].astype(np.float32), RATE)
    limited = limit_looped(clip, -1.0, Loop(start, clip.length))
    assert looped_peaks(limited.clip, Loop(start, clip.length)).true <= 10 ** (-1 / 20)
    gain = limited.clip.samples[0] / np.where(np.abs(wave) < 0.01, np.nan, wave)
    around_start, around_end = gain[start - 40 : start + 40], gain[-40:]
    assert np.nanmedian(around_end) == pytest.approx(np.nanmedian(around_start), abs=0.01)


def test_a_declared_loop_gives_an_intro_and_a_loop_too() -> None:
    take = beats(16, 120)
    (made,) = master([TakeInput(take, (0, 16 * RATE))], intro_spec(4.0, 16.0, 120))
    assert made.loop[1] - made.loop[0] == 12 * RATE
    assert made.seam.click < 1.0


def test_exactly_means_to_the_sample_or_an_error_with_the_remedy() -> None:
    take = beats(12, 119.3)
    spec = MasteringSpec(-14.0, -1.0, RATE, 1, 8.0, True, 120.0, False, 0.0, 0.0, exact=True)
    (made,) = master([TakeInput(take)], spec)
    assert made.clip.length == 8 * RATE
    (short,) = master([TakeInput(Clip(take.samples[:, : 8 * RATE], RATE))], spec)
    assert isinstance(short, MasteringError)
    assert "remove exact" in str(short)


EXACT = [
    # seconds, intro in seconds, beats a minute
    (3.0, 0.5, None),
    (2.5, 0.5, None),
    (6.1, 0.3, None),
    (1.234567, 0.1, None),
    (10.4348, 0.0, 92.0),
    (13.0435, 2.6087, 92.0),
    (2.0003, 0.0, None),
]


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize(("seconds", "intro_s", "bpm"), EXACT)
def test_an_exact_loop_lasts_as_long_as_asked_to_the_sample(
    seconds: float, intro_s: float, bpm: float | None, rate: int, declared: bool
) -> None:
    length = round(seconds * RATE)
    wave = 0.1 * np.random.default_rng(5).standard_normal((1, length if declared else length + 2 * RATE))
    spec = MasteringSpec(
        -14.0, -1.0, rate, 1, seconds, True, bpm, False, 0.0, 0.0, intro_s=intro_s, exact=True
    )
    made = shape(TakeInput(Clip(wave.astype(np.float32), RATE), (0, length) if declared else None), spec)
    assert made.clip.length == round(seconds * rate)
    assert made.loop == (round(intro_s * rate), made.clip.length)


def test_a_loop_in_free_time_keeps_a_beat_that_is_clearly_heard() -> None:
    beat = round(0.55 * RATE)
    take = Clip((0.3 * drums(24, beat))[None].astype(np.float32), RATE)
    made = cut_loop(take, 9.0, None)
    assert abs(made.clip.length / beat - round(made.clip.length / beat)) < 0.02
    assert closed(made.clip) == set()
    assert cut_loop(take, 9.0, None, exact=True).clip.length == 9 * RATE
