"""The sealed half of the studio set: families that nobody looks at while a gate is worked on."""

import numpy as np
from scipy.signal import lfilter
from studio_synthesis import (
    Family,
    Random,
    Wave,
    attack,
    band,
    colour,
    place,
    release,
    resonant,
    room,
    sine,
    string,
    swell,
    times,
    unit,
)


def kick(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.25, 0.6), rate)
    pitch = 45 + random.uniform(80, 250) * np.exp(-t * 40)
    return unit(sine(pitch, t) * np.exp(-t * random.uniform(7, 14)))


def explosion(random: Random, rate: int) -> Wave:
    t = times(random.uniform(1.2, 3), rate)
    bang = band(random.standard_normal(len(t)), rate, None, 4000, 1) * np.exp(-t * 8)
    rumble = band(random.standard_normal(len(t)), rate, None, 150) * np.exp(-t * random.uniform(1.5, 3)) * 4
    return unit(np.tanh(unit(bang + rumble) * random.uniform(1, 4)))


def thunder(random: Random, rate: int) -> Wave:
    t = times(random.uniform(3, 6), rate)
    return unit(
        band(colour(random, len(t), 1.5), rate, 25, 900) * swell(random, len(t), 12) ** 2 * np.exp(-t * 0.5)
    )


def laser(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.15, 0.6), rate)
    pitch = 150 + random.uniform(1500, 5000) * np.exp(-t * random.uniform(8, 20))
    return (
        unit(np.sign(sine(pitch, t)) * np.exp(-t * 5))
        if random.random() < 0.5
        else sine(pitch, t) * np.exp(-t * 4)
    )


def engine(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 4), rate)
    firing = random.uniform(25, 70)
    phase = firing * t % 1
    wave = np.exp(-phase * 8) * (1 + 0.3 * random.standard_normal(len(t)))
    return unit(band(wave - wave.mean(), rate, 30, 2500, 1))


def helicopter(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 4), rate)
    chop = np.exp(-(random.uniform(9, 14) * t % 1) * 7)
    return unit(band(colour(random, len(t), 1), rate, 60, 3000, 1) * (0.1 + chop))


def siren(random: Random, rate: int) -> Wave:
    t = times(random.uniform(1.5, 4), rate)
    return sine(800 + 300 * np.sign(sine(random.uniform(1, 2), t)), t) * 0.98


def heartbeat(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(2, 4) * rate))
    for at in np.arange(0.1, len(wave) / rate, random.uniform(0.7, 1)):
        for offset, gain in ((0, 1.0), (0.22, 0.7)):
            t = times(0.14, rate)
            place(
                wave,
                sine(random.uniform(45, 60), t) * np.sin(np.pi * t / 0.14) ** 2,
                round((at + offset) * rate),
                gain,
            )
    return unit(wave)


def gravel_step(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(0.25, 0.5) * rate))
    for _ in range(random.integers(30, 90)):
        t = times(random.uniform(0.003, 0.012), rate)
        grain = band(random.standard_normal(len(t)), rate, 900, None) * np.exp(-t * 400)
        place(wave, grain, int(random.beta(1.3, 4) * len(wave)), random.exponential(1))
    return unit(wave)


def typewriter(random: Random, rate: int) -> Wave:
    t = times(0.05, rate)
    key = sine(random.uniform(1500, 3000), t) * np.exp(-t * 150) + random.standard_normal(len(t)) * np.exp(
        -t * 300
    )
    wave = np.zeros(round(random.uniform(1, 2) * rate))
    for beat in range(int(len(wave) / rate / 0.125)):
        place(wave, key, round(beat * 0.125 * rate))
    return unit(wave)


def gated_pad(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 4), rate)
    chord = sum(sine(hertz * 110, t) for hertz in (2, 3, 4, 5))
    return unit(chord * (random.uniform(3, 8) * t % 1 < 0.5))


def church_bell(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 5), rate)
    strike = random.uniform(180, 500)
    ratios = (0.5, 1, 1.2, 1.5, 2, 2.5, 3.01, 4.1)
    return unit(
        attack(
            sum(sine(strike * part, t, random.uniform(0, 6)) * np.exp(-t * part) for part in ratios),
            rate,
            0.002,
        )
    )


def glass(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(0.6, 1.4) * rate))
    for _ in range(random.integers(20, 60)):
        t = times(0.2, rate)
        shard = sine(random.uniform(2000, 0.42 * rate), t) * np.exp(-t * random.uniform(20, 120))
        place(wave, shard, int(random.beta(1, 4) * len(wave)), random.exponential(1))
    return unit(wave)


def fire(random: Random, rate: int) -> Wave:
    wave = 0.1 * band(colour(random, round(random.uniform(2, 5) * rate), 1.3), rate, 80, 4000, 1)
    for _ in range(round(len(wave) / rate * random.uniform(8, 30))):
        t = times(random.uniform(0.002, 0.01), rate)
        place(
            wave,
            random.standard_normal(len(t)) * np.exp(-t * 500),
            int(random.integers(len(wave))),
            random.exponential(0.3),
        )
    return unit(wave)


def surf(random: Random, rate: int) -> Wave:
    t = times(random.uniform(4, 8), rate)
    waves = np.clip(sine(random.uniform(0.15, 0.3), t, random.uniform(0, 6)), 0, None) ** 1.5
    return unit(band(colour(random, len(t), 0.8), rate, 100, None, 1) * (0.12 + waves))


def birds(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(2, 5) * rate))
    for _ in range(random.integers(4, 14)):
        t = times(random.uniform(0.05, 0.2), rate)
        call = sine(random.uniform(2500, 5000) + 900 * np.sin(40 * t), t) * np.sin(np.pi * t / t[-1])
        place(wave, call, int(random.integers(len(wave))), random.uniform(0.3, 1))
    return unit(wave)


def cicadas(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 4), rate)
    song = band(random.standard_normal(len(t)), rate, 4000, 6500)
    return unit(song * (0.3 + (random.uniform(60, 120) * t % 1 < 0.5)) * swell(random, len(t), 5, 0.4))


def steam(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.8, 2), rate)
    jet = band(random.standard_normal(len(t)), rate, 1500, None) * np.minimum(1, t / 0.05)
    return unit(jet * np.exp(-np.maximum(0, t - 0.3) * random.uniform(2, 5)))


def shutter(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(0.16 * rate))
    for at in (0.002, random.uniform(0.06, 0.11)):
        t = times(0.03, rate)
        place(wave, random.standard_normal(len(t)) * np.exp(-t * random.uniform(150, 350)), round(at * rate))
    return unit(wave)


def coin(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.4, 0.8), rate)
    pitch = np.where(t < 0.08, random.uniform(800, 1100), random.uniform(1200, 1700))
    return unit(np.sign(sine(pitch, t)) * np.where(t < 0.08, 1, np.exp(-(t - 0.08) * 6)))


def choir(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 5), rate)
    voices = 0.0
    for _ in range(8):
        saw = random.uniform(0.99, 1.01) * random.choice((130.8, 164.8, 196, 261.6)) * t % 1 - 0.5
        voices = voices + resonant(saw, rate, 700, 100) + 0.5 * resonant(saw, rate, 1100, 120)
    return unit(release(attack(voices * swell(random, len(t), 5, 0.4), rate, 0.3), rate, 0.4))


def saw_lead(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.5, 1.5), rate)
    saws = sum(random.uniform(0.99, 1.01) * random.uniform(110, 440) * t % 1 - 0.5 for _ in range(3))
    return unit(release(attack(np.tanh(3 * saws), rate, 0.005), rate, 0.02))


def fm_bass(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.4, 1.2), rate)
    pitch = random.uniform(40, 110)
    return unit(
        np.sin(2 * np.pi * pitch * t + 4 * np.exp(-t * 6) * np.sin(2 * np.pi * pitch * t)) * np.exp(-t * 2)
    )


def reversed_cymbal(random: Random, rate: int) -> Wave:
    t = times(random.uniform(1, 2.5), rate)
    wash = band(random.standard_normal(len(t)), rate, 2000, None) * np.exp(-t * random.uniform(2, 4))
    return unit(attack(wash, rate, 0.01)[::-1])


def drum_loop(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(2, 4) * rate))
    for beat in range(int(len(wave) / rate / 0.25)):
        hit = kick(random, rate) if beat % 2 == 0 else steam(random, rate)[: rate // 6]
        place(wave, hit, round(beat * 0.25 * rate), random.uniform(0.5, 1))
    return np.clip(unit(wave) * random.uniform(0.9, 1.0), -1, 1)


def gunshot(random: Random, rate: int) -> Wave:
    t = times(0.2, rate)
    crack = random.standard_normal(len(t)) * np.exp(-t * random.uniform(30, 70))
    return unit(room(random, unit(np.tanh(2 * crack)), rate, random.uniform(0.6, 1.5), 0.3))


def crowd(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 4), rate)
    wave = 0.0
    for _ in range(14):
        saw = random.uniform(95, 240) * (1 + 0.05 * swell(random, len(t), 12)) * t % 1 - 0.5
        wave = (
            wave
            + resonant(saw, rate, random.uniform(300, 900), 110)
            * swell(random, len(t), round(6 * t[-1])) ** 2
        )
    return unit(wave)


def harpsichord(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(1.5, 3) * rate))
    for beat in range(int(len(wave) / rate / 0.2)):
        note = string(random, rate, 220 * 2 ** (random.integers(0, 18) / 12), 0.6)
        place(wave, lfilter([1, -0.9], [1], note), round(beat * 0.2 * rate))
    return unit(wave)


SEALED: dict[str, Family] = {
    "kick": kick,
    "explosion": explosion,
    "thunder": thunder,
    "laser": laser,
    "engine": engine,
    "helicopter": helicopter,
    "siren": siren,
    "heartbeat": heartbeat,
    "gravel step": gravel_step,
    "typewriter": typewriter,
    "gated pad": gated_pad,
    "church bell": church_bell,
    "breaking glass": glass,
    "fire": fire,
    "surf": surf,
    "birds": birds,
    "cicadas": cicadas,
    "steam": steam,
    "camera shutter": shutter,
    "coin": coin,
    "choir": choir,
    "saw lead": saw_lead,
    "FM bass": fm_bass,
    "reversed cymbal": reversed_cymbal,
    "drum loop": drum_loop,
    "gunshot": gunshot,
    "crowd": crowd,
    "harpsichord": harpsichord,
}
