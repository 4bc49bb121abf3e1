"""The sketch engine's building blocks keep their physics."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from sketch_listening import RATE, pitch

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise, reverb
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import generator
from pipeline.generators.sketch.music.drums import DRUMS, KITS, drum_sound, groove
from pipeline.generators.sketch.music.instruments import INSTRUMENTS, sound

SEED = 5


@pytest.mark.parametrize("hz", [82.4, 196.0, 440.0, 987.8])
def test_a_plucked_string_is_in_tune(hz):
    string = osc.pluck(hz, RATE, generator(SEED), 2.0, 0.6)
    size = 1 << 18
    power = np.abs(np.fft.rfft(string * np.hanning(len(string)), size))
    near = np.abs(np.fft.rfftfreq(size, 1 / RATE) - hz) < 0.06 * hz
    found = np.fft.rfftfreq(size, 1 / RATE)[near][np.argmax(power[near])]
    assert abs(1200 * np.log2(found / hz)) < 6


@pytest.mark.parametrize("t60", [0.1, 0.5, 2.0])
def test_a_mode_falls_by_sixty_decibels_in_its_time(t60):
    wave = osc.ring([1000.0], [t60], [1.0], int(t60 * RATE * 1.2))
    at = int(t60 * RATE)
    early, late = np.abs(wave[:200]).max(), np.abs(wave[at : at + 100]).max()
    assert 20 * np.log10(late / early) == pytest.approx(-60, abs=1.5)


@pytest.mark.parametrize("shape", ["saw", "square", "pulse"])
def test_bright_oscillators_do_not_alias(shape):
    hz = 3001.0
    wave = osc.tone(shape, hz, RATE, 0.0, 0.25)
    power = np.abs(np.fft.rfft(wave * np.hanning(RATE))) ** 2
    harmonic = np.zeros(len(power), bool)
    for k in range(1, 9):
        harmonic[int(k * hz) - 4 : int(k * hz) + 5] = True
    assert 10 * np.log10(power[~harmonic].sum() / power.sum()) < -55


def test_ensembles_keep_their_pitch_and_repeat():
    table = osc.ensemble(220.0, 1.0 / np.arange(1, 9), 20.0, generator(SEED))
    assert pitch(table) == pytest.approx(220.0, rel=0.02)
    assert abs(table[0] - table[-1]) <= np.abs(np.diff(table)).max()


@given(n=st.integers(4, 5000), seed=st.integers(0, 2**32))
def test_noise_and_drift_wrap(n, seed):
    rng = generator(seed)
    slow = noise.drift(rng, n, 1.0)
    assert np.isfinite(slow).all()
    assert np.abs(slow).max() <= 1.0
    made = noise.coloured(rng, n, 6.0)
    assert np.isfinite(made).all()
    assert abs(made.mean()) < 1e-6


def test_slopes_are_what_they_say():
    pink = noise.coloured(generator(SEED), 1 << 18, 3.0)
    hz, power = scipy.signal.welch(pink, RATE, nperseg=8192)
    low, high = (power[(hz > f * 0.8) & (hz < f * 1.25)].mean() for f in (200.0, 3200.0))
    assert 10 * np.log10(low / high) == pytest.approx(12.0, abs=1.0)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("n", [1000, 4800, 50_001])
def test_a_flat_moving_filter_changes_nothing(n, loop):
    audio = generator(SEED).standard_normal(n)
    np.testing.assert_allclose(
        filters.time_varying(audio, lambda hz, at: np.ones_like(hz + at), 1024, loop), audio, atol=1e-9
    )


def test_convolution_agrees_with_scipy_and_wraps_when_it_loops():
    audio = generator(SEED).standard_normal((2, 90_000)).astype(np.float32)
    response = generator(SEED + 1).standard_normal((2, 3000)).astype(np.float32)
    whole = np.stack([scipy.signal.fftconvolve(a, b) for a, b in zip(audio, response, strict=True)])
    np.testing.assert_allclose(reverb.convolve(audio, response, False), whole[:, :90_000], atol=2e-3)
    wrapped = whole[:, :90_000].copy()
    wrapped[:, :2999] += whole[:, 90_000:]
    np.testing.assert_allclose(reverb.convolve(audio, response, True), wrapped, atol=2e-3)


def test_convolution_wraps_more_than_once_where_the_loop_is_short():
    audio = np.zeros((1, 10), np.float32)
    audio[0, 0] = 1
    response = np.ones((1, 35), np.float32)
    np.testing.assert_allclose(
        reverb.convolve(audio, response, True)[0], [4, 4, 4, 4, 4, 3, 3, 3, 3, 3], atol=1e-4
    )


@pytest.mark.parametrize("name", sorted(reverb.SPACES))
def test_spaces_decay_and_differ_between_the_ears(name):
    response = reverb.impulse(name)
    np.testing.assert_allclose(np.sum(response.astype(float) ** 2, axis=1), 1.0, rtol=1e-3)
    quarters = [np.sum(q**2) for q in np.array_split(response[0].astype(float), 4)]
    assert quarters[0] > quarters[1] > quarters[2] > quarters[3]
    assert abs(np.corrcoef(response)[0, 1]) < 0.3


@given(at=st.integers(0, 5000), length=st.integers(1, 3000), n=st.integers(1, 1000))
def test_a_looping_bus_loses_nothing(at, length, n):
    looped, cut = mixing.Bus(n, 1, True), mixing.Bus(n, 1)
    for each in (looped, cut):
        each.add(np.ones(length), at)
    assert looped.mix.sum() == pytest.approx(length)
    assert cut.mix.sum() == pytest.approx(max(0, min(length, n - at)))


def test_loops_are_filtered_in_their_steady_state():
    tone = np.sin(2 * np.pi * 10 * np.arange(4800) / 4800)
    wrapped = filters.low_pass(tone, 60.0, 2, loop=True)
    assert abs(wrapped[0] - wrapped[-1]) <= np.abs(np.diff(wrapped)).max() * 1.01


def test_held_shapes_fit_any_length():
    for n in (1, 2, 3, 10, 1000):
        shape = envelopes.sustain(n, 0.5, 0.5)
        assert len(shape) == n
        assert shape.min() >= 0
        assert shape.max() <= 1


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_every_instrument_plays_its_range_in_tune(name):
    instrument = INSTRUMENTS[name]
    for note in (instrument.low, (instrument.low + instrument.high) // 2, instrument.high):
        wave = np.atleast_2d(sound(name, note, 0.6, 0.7, 0))
        assert np.isfinite(wave).all()
        assert 0.05 < np.abs(wave).max() < 2.0
    middle = (instrument.low + instrument.high) // 2
    wave = np.atleast_2d(sound(name, middle, 0.8, 0.7, 0)).mean(axis=0).astype(float)
    hz = 440 * 2 ** ((middle - 69) / 12)
    found = pitch(wave[: int(0.8 * RATE)], hz * 0.45, hz * 8)
    partial = found / hz
    known = [0.5, 1.19, 1.5, *range(1, 9)]
    assert min(abs(1200 * np.log2(partial / k)) for k in known) < 35, partial


@pytest.mark.parametrize("name", sorted(DRUMS))
def test_every_drum_strikes_and_dies(name):
    wave = drum_sound(name, 0.9, 0)
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() == pytest.approx(1.0)


@pytest.mark.parametrize("kit", sorted(KITS))
def test_every_groove_is_sixteen_steps_of_known_drums(kit):
    for energy in (0.0, 0.5, 1.0):
        for drum, steps in groove(kit, energy).items():
            assert drum in DRUMS
            assert len(steps) == 16
            assert set(steps) <= set("xo-.")
