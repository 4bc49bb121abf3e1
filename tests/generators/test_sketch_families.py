"""Each family of sound effects behaves like what it is named after."""

import numpy as np
import pytest
import scipy.signal
from sketch_listening import RATE, centroid, levels, make, mono, pitch, share, spectrum

SEEDS = [1, 2, 3]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("surface", ["gravel", "wood", "snow", "stone", "metal", "grass", "water", "mud"])
def test_a_footstep_is_early_and_decays(surface, seed):
    shape = levels(mono(f"a single footstep on {surface}", 0.6, seed=seed))
    assert np.argmax(shape) * 0.02 < 0.2
    assert shape[-5:].max() < 0.12 * shape.max()


@pytest.mark.parametrize("seed", SEEDS)
def test_snow_is_duller_than_gravel_and_metal_rings_longer_than_stone(seed):
    snow, gravel, metal, stone = (
        mono(f"footstep on {surface}", 0.6, seed=seed) for surface in ("snow", "gravel", "metal", "stone")
    )
    assert centroid(snow) < 0.8 * centroid(gravel)
    assert decay_s(metal) > 1.5 * decay_s(stone)


def decay_s(audio):
    """Seconds until 99 % of the energy is past."""
    energy = np.cumsum(audio**2)
    return float(np.searchsorted(energy, 0.99 * energy[-1]) / RATE)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_walk_is_several_steps(seed):
    shape = levels(mono("footsteps walking on wood", 3.0, seed=seed), 0.02)
    peaks, _ = scipy.signal.find_peaks(shape, height=0.25 * shape.max(), distance=12)
    assert 4 <= len(peaks) <= 12


@pytest.mark.parametrize("seed", SEEDS)
def test_glass_is_brighter_than_wood_and_large_is_lower_than_small(seed):
    glass, wood = (mono(f"{m} impact", 0.8, seed=seed) for m in ("glass", "wood"))
    assert centroid(glass) > 3 * centroid(wood)
    large, small = (mono(f"{size} metal impact", 1.0, seed=seed) for size in ("huge", "tiny"))
    assert centroid(large) < centroid(small)


@pytest.mark.parametrize("seed", SEEDS)
def test_shattering_lasts_longer_than_hitting(seed):
    assert decay_s(mono("glass shatters into pieces", 1.5, seed=seed)) > 0.4


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whoosh_swells_in_level_and_in_colour_then_falls(seed):
    audio = mono("sword whoosh", 0.5, seed=seed)
    shape = levels(audio, 0.03)
    peak = int(np.argmax(shape))
    assert 2 <= peak <= 10
    assert shape[0] < 0.2 * shape[peak]
    assert shape[-2] < 0.2 * shape[peak]
    middle = (peak + 0.5) * 0.03
    early, at_peak, late = (
        centroid(audio[int(max(0, t) * RATE) : int((t + 0.06) * RATE)])
        for t in (0.02, middle - 0.03, middle + 0.13)
    )
    assert at_peak > early
    assert at_peak > late


@pytest.mark.parametrize("seed", SEEDS)
def test_an_explosion_is_low_and_long(seed):
    audio = mono("huge explosion", 3.0, seed=seed)
    assert share(audio, 20, 250) > 0.6
    assert decay_s(audio) > 0.5
    assert np.argmax(np.abs(audio)) < 0.3 * RATE


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("prompt", ["sci-fi laser blaster", "retro 8-bit laser"])
def test_a_laser_dives_and_a_charge_climbs(prompt, seed):
    audio = mono(prompt, 0.5, seed=seed)
    early, late = audio[int(0.01 * RATE) : int(0.05 * RATE)], audio[int(0.16 * RATE) : int(0.24 * RATE)]
    assert centroid(early) > 1.8 * centroid(late)
    charge = mono("laser charging", 1.0, seed=seed)
    assert pitch(charge[: RATE // 5], 60) < pitch(charge[3 * RATE // 5 : 4 * RATE // 5], 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_confirm_rises_and_error_falls_below_it(seed):
    yes, no = mono("ui confirm", 0.6, seed=seed), mono("ui error", 0.6, seed=seed)
    assert pitch(yes[: int(0.08 * RATE)], 200) < pitch(yes[int(0.12 * RATE) : int(0.4 * RATE)], 200)
    first, second = no[int(0.01 * RATE) : int(0.1 * RATE)], no[int(0.16 * RATE) : int(0.34 * RATE)]
    assert pitch(first, 60, 700) > pitch(second, 60, 700)
    assert centroid(no) < centroid(yes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_coin_is_two_rising_notes_the_second_ringing(seed):
    audio = mono("coin pickup", 0.8, seed=seed)
    first, second = audio[: int(0.07 * RATE)], audio[int(0.09 * RATE) : int(0.4 * RATE)]
    assert pitch(second, 400) / pitch(first, 400) == pytest.approx(2 ** (5 / 12), rel=0.05)
    assert np.sum(second**2) > np.sum(first**2)


def test_clicks_are_short_and_hovers_are_softer():
    click, hover = mono("ui button click", 0.3), mono("ui hover", 0.3)
    assert decay_s(click) < 0.1
    assert np.abs(hover).max() < 0.7 * np.abs(click).max()


@pytest.mark.parametrize("seed", SEEDS)
def test_rain_is_steady_and_broad(seed):
    audio = mono("heavy rain", 4.0, loop=True, seed=seed)
    shape = levels(audio, 0.25)
    assert shape.std() / shape.mean() < 0.15
    power, hz = spectrum(audio)
    chosen = (hz > 500) & (hz < 10_000)
    smooth = np.convolve(power[chosen], np.ones(200) / 200, "valid")
    assert np.exp(np.log(smooth).mean()) / smooth.mean() > 0.4


def test_heavy_rain_is_louder_than_drizzle_is_dense():
    heavy, light = (mono(p, 3.0, loop=True) for p in ("heavy rain downpour", "light drizzle"))
    assert crest(light) > crest(heavy)


def crest(audio):
    return np.abs(audio).max() / np.sqrt(np.mean(audio**2))


@pytest.mark.parametrize("seed", SEEDS)
def test_wind_moves_slowly_and_lies_low(seed):
    audio = mono("strong wind gusts", 8.0, loop=True, seed=seed)
    shape = levels(audio, 0.1)
    slow = np.abs(np.fft.rfft(shape - shape.mean()))
    hz = np.fft.rfftfreq(len(shape), 0.1)
    assert shape.std() / shape.mean() > 0.12
    assert slow[(hz > 0) & (hz < 1)].sum() > slow[hz > 2].sum() * 0.8
    assert centroid(audio) < 1500


@pytest.mark.parametrize("seed", SEEDS)
def test_an_engine_has_harmonics_at_its_firing_rate(seed):
    audio = mono("car engine idle", 4.0, loop=True, seed=seed)
    power, hz = spectrum(audio)
    comb = {
        f: sum(power[np.abs(hz - k * f) < 0.8].sum() for k in range(2, 9))
        / power[(hz > 1.5 * f) & (hz < 9 * f)].sum()
        for f in np.arange(30.0, 50.0, 0.25)
    }
    assert max(comb.values()) > 2.5 * np.median(list(comb.values()))


def test_revving_climbs_and_comes_back():
    audio = mono("motorcycle engine revving", 3.0)
    thirds = np.array_split(audio, 3)
    assert centroid(thirds[1]) > centroid(thirds[0])
    assert centroid(thirds[1]) > centroid(thirds[2])


@pytest.mark.parametrize("seed", SEEDS)
def test_fire_crackles(seed):
    audio = scipy.signal.sosfilt(
        scipy.signal.butter(4, 2500, "high", fs=RATE, output="sos"),
        mono("campfire", 5.0, loop=True, seed=seed),
    )
    assert crest(audio) > 8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_roar_is_low_and_a_squeak_is_high(seed):
    roar, squeak, hiss = (mono(p, 1.5, seed=seed) for p in ("dragon roar", "rat squeak", "snake hiss"))
    assert centroid(roar) < 1200 < centroid(squeak) < centroid(hiss)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_creaking_door_lasts_and_a_slam_does_not(seed):
    creak, slam = mono("old door creaking open", 2.0, seed=seed), mono("door slam", 2.0, seed=seed)
    assert decay_s(creak) > 1.0 > decay_s(slam)
    assert centroid(slam) < centroid(creak)


@pytest.mark.parametrize("seed", SEEDS)
def test_magic_climbs_and_a_curse_is_darker(seed):
    heal, curse = mono("healing magic", 2.0, seed=seed), mono("dark curse magic", 2.0, seed=seed)
    assert centroid(curse) < 0.7 * centroid(heal)


def test_distance_takes_level_and_top_away():
    near, far = mono("thunder, close", 4.0), mono("thunder, very distant", 4.0)
    assert np.abs(far).max() < np.abs(near).max()
    assert centroid(far) < centroid(near)


def test_spaces_add_a_tail():
    dry, wet = mono("wooden impact", 2.0), mono("wooden impact in a cathedral", 2.0)
    assert decay_s(wet) > 1.5 * decay_s(dry)


def test_an_ambience_has_the_layers_that_it_names():
    layers = make("forest ambience, birds, distant stream", 2.0, loop=True).notes["layers"]
    assert {"wind", "birds", "stream"} <= set(layers)
    assert "birds" not in make("forest ambience, no birds", 2.0, loop=True).notes["layers"]


def test_room_tone_is_quiet_and_low():
    audio = mono("room tone", 3.0, loop=True)
    assert np.abs(audio).max() < 0.15
    assert centroid(audio) < 1000
