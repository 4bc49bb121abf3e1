"""What the sketch engine's music keeps: tempo, bars, mode, energy, seams and endings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sketch_listening import RATE, flux, levels, make, mono, pitch_classes, share, tempo_strength

from pipeline.generators.sketch.dsp.units import generator
from pipeline.generators.sketch.music.arrangement import stinger
from pipeline.generators.sketch.music.cue import mix
from pipeline.generators.sketch.music.reading import read_music
from pipeline.generators.sketch.music.score import Note, Score, Timing, ending_timing, loop_timing
from pipeline.generators.sketch.music.theory import MODES, Chord, voicing


@given(
    seconds=st.floats(1.0, 200.0),
    bpm=st.floats(40.0, 220.0),
    beats=st.sampled_from([3, 4]),
)
def test_loops_at_a_given_tempo_hold_the_nearest_whole_number_of_bars(seconds, bpm, beats):
    timing = loop_timing(seconds, bpm, 100.0, beats)
    bar = beats * 60.0 / bpm
    assert timing.bpm == bpm
    assert timing.bars >= 1
    assert timing.n == round(timing.bars * bar * RATE)
    assert abs(timing.n / RATE - seconds) <= max(bar / 2 + 1e-4, bar - seconds + 1e-4)


@given(seconds=st.floats(1.0, 200.0), tempo=st.floats(50.0, 180.0), beats=st.sampled_from([3, 4]))
def test_free_loops_fill_their_length_with_whole_bars_near_the_tempo(seconds, tempo, beats):
    timing = loop_timing(seconds, None, tempo, beats)
    assert timing.n == round(seconds * RATE)
    assert timing.bars * beats * timing.beat == pytest.approx(seconds)
    if timing.bars >= 8:
        assert timing.bpm == pytest.approx(tempo, rel=0.14)


@given(seconds=st.floats(0.5, 300.0), bpm=st.none() | st.floats(40.0, 220.0))
def test_cues_that_end_have_exactly_their_length(seconds, bpm):
    assert ending_timing(seconds, bpm, 100.0, 4).n == round(seconds * RATE)


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("epic battle, taiko drums", 120.0),
        ("synthwave drive", 100.0),
        ("rock band", 150.0),
        ("chiptune run", 138.0),
    ],
)
def test_the_tempo_that_was_asked_for_is_heard(prompt, bpm):
    audio = mono(prompt, 16.0, kind="music", loop=True, bpm=bpm)
    right = tempo_strength(audio, bpm)
    assert right > max(tempo_strength(audio, bpm * other) for other in (0.87, 0.93, 1.09, 1.16))


def test_the_tempo_of_a_loop_decides_its_length():
    take = make("tavern jig", 10.0, kind="music", loop=True, bpm=97.0)
    bar = 4 * 60 / 97
    assert take.clip.length == round(4 * bar * RATE)
    assert take.loop == (0, take.clip.length)


@pytest.mark.parametrize(
    "prompt", ["calm nylon guitar and flute", "epic battle, taiko", "ambient pad drone", "chiptune"]
)
def test_music_loops_wrap_without_a_click(prompt):
    samples = make(prompt, 8.0, kind="music", loop=True).clip.samples
    within = np.abs(np.diff(samples, axis=1)).max(axis=1)
    assert (np.abs(samples[:, 0] - samples[:, -1]) <= within).all()


def test_a_loop_rings_on_over_its_start_as_it_rang_past_its_end():
    late = Score(notes=[Note("harp", 7.0, 1.0, 60, 0.8)], looseness_s=0.0)
    looped = mix(late, Timing(120.0, 4, 2, 4 * RATE), True, "hall", generator(1))
    longer = mix(late, Timing(120.0, 4, 8, 16 * RATE), False, "hall", generator(1))
    folded = longer.reshape(2, 4, 4 * RATE).sum(axis=1)
    assert np.abs(looped[:, :RATE]).max() > 0.01
    np.testing.assert_allclose(looped, folded, atol=1e-4)


def thirds(prompt, seed):
    """Minor third against major third above the strongest bass, by pitch class energy."""
    audio = mono(prompt, 12.0, kind="music", loop=True, seed=seed)
    take = make(prompt, 12.0, kind="music", loop=True, seed=seed)
    return pitch_classes(audio), take.notes["mode"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_minor_and_major_words_change_the_pitch_classes(seed):
    major, major_mode = thirds("happy cheerful orchestra, harp and strings, no drums", seed)
    minor, minor_mode = thirds("sad sorrowful orchestra, harp and strings, no drums", seed)
    assert (major_mode, minor_mode) == ("major", "minor")
    for heard, mode in ((major, "major"), (minor, "minor")):
        fits = {
            name: max(heard[[(root + step) % 12 for step in MODES[name].scale]].sum() for root in range(12))
            for name in ("major", "minor")
        }
        in_key = max(fits.values())
        assert in_key > 0.8, (mode, fits)
    assert np.abs(major - minor).sum() > 0.25


def test_energy_words_make_music_busier_and_louder():
    calm = mono("calm gentle orchestra", 12.0, kind="music", loop=True)
    wild = mono("intense furious orchestra battle", 12.0, kind="music", loop=True)
    assert np.sqrt(np.mean(wild**2)) > 1.5 * np.sqrt(np.mean(calm**2))
    assert busyness(wild) > 1.4 * busyness(calm)


def busyness(audio):
    """Onsets a second: peaks of spectral flux that stand out."""
    onsets = flux(audio)
    peaks = (
        (onsets[1:-1] > onsets[:-2]) & (onsets[1:-1] >= onsets[2:]) & (onsets[1:-1] > 1.5 * np.median(onsets))
    )
    return peaks.sum() / (len(audio) / RATE)


def test_no_drums_means_no_drums():
    assert make("rock, no drums", 4.0, kind="music", loop=True).notes["palette"][-1] != "rock kit"
    with_drums, without = (mono(p, 6.0, kind="music", loop=True) for p in ("rock", "rock without drums"))
    assert share(without, 6000, 20_000) < share(with_drums, 6000, 20_000)


@pytest.mark.parametrize("prompt", ["calm forest", "epic battle", "victory fanfare", "game over"])
def test_what_does_not_loop_ends_in_silence_and_not_before(prompt):
    shape = levels(mono(prompt, 8.0, kind="music"), 0.05)
    assert shape[-1] < 0.02 * shape.max()
    assert shape[: int(0.7 * len(shape))].min() > 0.005 * shape.max()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("prompt", "direction"), [("victory fanfare", 1), ("game over, defeat", -1), ("secret found", 1)]
)
def test_success_and_discovery_rise_and_failure_falls(prompt, direction, seed):
    reading = read_music(prompt, 5.0, False)
    score = stinger(reading, Timing(120.0, 4, 1, 5 * RATE), generator(seed))
    runner = reading.lead if prompt != "secret found" else "harp"
    line = sorted(
        (note.start, note.pitch) for note in score.notes if note.player == runner and note.start < 2.9
    )
    assert (line[-1][1] - line[0][1]) * direction > 0


def test_stereo_is_wide_and_still_mono_compatible():
    samples = make("ambient strings and choir", 8.0, kind="music", loop=True).clip.samples
    assert 0.1 < np.corrcoef(samples)[0, 1] < 0.98


def test_variations_share_key_and_tempo():
    one, two = (make("calm forest", 8.0, kind="music", loop=True, seed=seed) for seed in (1, 2))
    assert one.notes == two.notes
    heard = [pitch_classes(take.clip.samples.mean(axis=0).astype(float)) for take in (one, two)]
    assert np.corrcoef(*heard)[0, 1] > 0.5


@given(
    degree=st.integers(0, 6),
    tonic=st.integers(0, 11),
    mode=st.sampled_from(sorted(MODES)),
    centre=st.integers(48, 76),
)
def test_voicings_hold_the_chord_near_their_centre(degree, tonic, mode, centre):
    chord = Chord(degree, tonic, mode)
    notes = voicing(chord, (), centre, 4)
    assert {note % 12 for note in notes} == set(chord.classes)
    assert list(notes) == sorted(set(notes))
    assert all(abs(note - centre) < 24 for note in notes)
