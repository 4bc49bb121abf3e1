"""The open half of the studio set: sounds with nothing wrong, to look at while a gate is worked on.

Every family takes (random, rate) and gives a wave of shape [samples] or [channels, samples], peak about 1.
"""

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

_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))


def voice(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.6, 2.5), rate)
    pitch = (
        random.uniform(90, 260) * (1 + 0.03 * sine(random.uniform(4, 6), t)) * swell(random, len(t), 4, 0.8)
    )
    phase = np.cumsum(pitch) / rate % 1
    glottis = np.where(phase < 0.6, np.sin(np.pi * phase / 0.6) ** 2, 0) - 0.3
    wave = sum(
        resonant(glottis, rate, formant, 90) * 0.6**place_
        for place_, formant in enumerate(_VOWELS[random.integers(5)])
    )
    return unit(release(attack(wave * swell(random, len(t), 6, 0.15), rate, 0.04), rate, 0.08))


def whisper(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.8, 2.5), rate)
    breath = random.standard_normal(len(t))
    wave = sum(resonant(breath, rate, formant, 160) for formant in _VOWELS[random.integers(5)])
    syllables = swell(random, len(t), max(4, round(5 * t[-1])), 0.0) ** 2
    return unit(release(attack(wave * syllables, rate, 0.03), rate, 0.05))


def quiet_whisper(random: Random, rate: int) -> Wave:
    return whisper(random, rate) * 10 ** (random.uniform(-50, -40) / 20)


def heavy_rain(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 5), rate)
    bed = band(colour(random, len(t), 0.6), rate, 300, 9000, 1)
    drops = np.zeros(len(t))
    for _ in range(round(random.uniform(60, 250) * t[-1])):
        drop = times(0.012, rate)
        ping = sine(random.uniform(900, 5000), drop) * np.exp(-drop * random.uniform(300, 900))
        place(drops, ping, int(random.integers(len(t))), random.exponential(0.5))
    return unit(bed + random.uniform(0.15, 0.4) * unit(drops))


def wind(random: Random, rate: int) -> Wave:
    t = times(random.uniform(3, 6), rate)
    breath = colour(random, len(t), 1.2)
    howl = band(breath, rate, 150, 400) * swell(random, len(t), 6) + 0.6 * band(
        breath, rate, 500, 1100
    ) * swell(random, len(t), 8)
    return unit(howl + 0.2 * breath)


def whoosh(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.35, 1.2), rate)
    air = random.standard_normal(len(t))
    return unit(air * np.abs(np.sin(np.pi * t / t[-1])) ** random.uniform(1.5, 4))


def riser(random: Random, rate: int) -> Wave:
    t = times(random.uniform(1.5, 4), rate)
    air = band(random.standard_normal(len(t)), rate, 200, None) * (t / t[-1]) ** random.uniform(1.5, 3)
    return unit(release(air + 0.3 * sine(200 + 900 * (t / t[-1]) ** 2, t) * t / t[-1], rate, 0.02))


def radio_static(random: Random, rate: int) -> Wave:
    t = times(random.uniform(1, 2.5), rate)
    hiss = band(random.standard_normal(len(t)), rate, 400, 5000)
    crackle = np.where(random.random(len(t)) < 30 / rate, random.choice((-8, 8)), 0.0)
    tuned = sine(random.uniform(600, 1800) + 200 * swell(random, len(t), 9), t)
    return unit(hiss * swell(random, len(t), 12, 0.2) + band(crackle, rate, None, 6000) + 0.5 * tuned)


def snare(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.2, 0.5), rate)
    rattle = band(random.standard_normal(len(t)), rate, 1200, None) * np.exp(-t * random.uniform(12, 30))
    body = sine(random.uniform(160, 240), t) * np.exp(-t * 25)
    return unit(attack(0.5 * unit(rattle) + 0.6 * body, rate, 0.001))


def hihats(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(1.2, 3) * rate))
    step = 60 / random.uniform(90, 160) / 4
    for beat in range(int(len(wave) / rate / step)):
        t = times(random.choice((0.05, 0.05, 0.25)), rate)
        hit = band(random.standard_normal(len(t)), rate, 6000, None) * np.exp(-t * 6 / t[-1])
        place(wave, unit(hit), round(beat * step * rate), random.uniform(0.4, 1))
    return unit(wave)


def crash(random: Random, rate: int) -> Wave:
    t = times(random.uniform(1.5, 3), rate)
    plate = sum(sine(hertz, t, random.uniform(0, 6)) for hertz in random.uniform(300, 0.45 * rate, 40))
    wash = band(random.standard_normal(len(t)), rate, 2500, None)
    return unit((0.3 * plate + wash * 2) * np.exp(-t * random.uniform(1.5, 3.5)))


def square_tune(random: Random, rate: int) -> Wave:
    notes = []
    duty = random.choice((0.5, 0.25, 0.125))
    for _ in range(random.integers(4, 12)):
        t = times(random.uniform(0.06, 0.2), rate)
        pulse = np.where(110 * 2 ** (random.integers(0, 30) / 12) * t % 1 < duty, 1.0, -1.0)
        notes.append(pulse * (1.0 if random.random() < 0.7 else 0.5))
    wave = np.concatenate(notes)
    return unit(wave) if duty == 0.5 else unit(lfilter([1, -1], [1, -0.997], wave))


def distorted_guitar(random: Random, rate: int) -> Wave:
    root = random.uniform(80, 180)
    seconds = random.uniform(0.8, 2)
    chord = sum(string(random, rate, root * step, seconds, 0.999) for step in (1, 1.5, 2))
    driven = np.tanh(chord * random.uniform(4, 25))
    return unit(release(band(driven, rate, 70, 5000, 1), rate, 0.05))


def sub_bass(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.8, 3), rate)
    return unit(
        release(
            attack(sine(random.uniform(30, 60), t) * np.exp(-t * random.uniform(0, 2)), rate, 0.02),
            rate,
            0.05,
        )
    )


def click(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.012, 0.05), rate)
    return unit(sine(random.uniform(800, 6000), t) * np.exp(-t * random.uniform(100, 300)))


def ui_beep(random: Random, rate: int) -> Wave:
    tones = []
    for _ in range(random.integers(1, 4)):
        t = times(random.uniform(0.05, 0.2), rate)
        tones.append(release(attack(sine(random.uniform(400, 3500), t), rate, 0.004), rate, 0.01))
    return np.concatenate(tones)


def drone(random: Random, rate: int) -> Wave:
    t = times(random.uniform(4, 8), rate)
    root = random.uniform(40, 120)
    return unit(
        sum(
            sine(root * part * random.uniform(0.997, 1.003), t) * swell(random, len(t), 5) / part
            for part in range(1, 8)
        )
    )


def ambience_with_a_gap(random: Random, rate: int) -> Wave:
    def passage() -> Wave:
        t = times(random.uniform(0.8, 1.6), rate)
        return unit(sum(sine(random.uniform(200, 900), t) for _ in range(4))) * np.sin(np.pi * t / t[-1]) ** 2

    hush = np.zeros(round(random.uniform(1, 3) * rate))
    return np.concatenate([passage(), hush, passage()])


def drips(random: Random, rate: int) -> Wave:
    wave = np.zeros(round(random.uniform(3, 6) * rate))
    for _ in range(random.integers(3, 9)):
        t = times(0.15, rate)
        drop = sine(random.uniform(500, 1500) * (1 + 3 * t), t) * np.exp(-t * random.uniform(25, 70))
        place(wave, drop, int(random.integers(len(wave) - len(t))), random.uniform(0.3, 1))
    return unit(wave)


def fading_pad(random: Random, rate: int) -> Wave:
    t = times(random.uniform(3, 6), rate)
    chord = sum(sine(220 * 2 ** (step / 12) * random.uniform(0.995, 1.005), t) for step in (0, 0, 3, 7, 10))
    shape = np.minimum(1, np.minimum(t / random.uniform(0.5, 2), (t[-1] - t) / random.uniform(0.5, 2)))
    return unit(chord * shape)


def hit_in_a_hall(random: Random, rate: int) -> Wave:
    t = times(0.25, rate)
    hit = sine(random.uniform(80, 400), t) * np.exp(-t * 25) + 0.4 * random.standard_normal(len(t)) * np.exp(
        -t * 60
    )
    return unit(room(random, unit(hit), rate, random.uniform(1.5, 3.5), random.uniform(0.2, 0.6)))


def brass(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.4, 1.5), rate)
    pitch = random.uniform(110, 350)
    pulse = np.exp(np.cos(2 * np.pi * pitch * t) * random.uniform(2, 6))
    return unit(release(attack((pulse - pulse.mean()) * np.exp(-t * 0.5), rate, 0.05), rate, 0.08))


def plucked_octave(random: Random, rate: int) -> Wave:
    t = times(random.uniform(0.5, 1.5), rate)
    pitch = random.uniform(80, 300)
    wave = sum(sine(pitch * part, t, np.pi / 2) / part for part in range(1, 9))
    return unit(attack(wave * np.exp(-t * random.uniform(3, 8)), rate, 0.004))


def panned(random: Random, rate: int) -> Wave:
    near = ui_beep(random, rate) if random.random() < 0.5 else whoosh(random, rate)
    pair = np.stack([near, near * 10 ** (-random.uniform(20, 50) / 20)])
    return pair[:: random.choice((-1, 1))]


def wide(random: Random, rate: int) -> Wave:
    pad = fading_pad(random, rate)
    other = fading_pad(random, rate)[: len(pad)]
    middle = random.uniform(0, 0.3) * np.pad(other, (0, len(pad) - len(other)))
    return np.stack([middle + pad, middle - pad]) / 1.3


def loud_master(random: Random, rate: int) -> Wave:
    t = times(random.uniform(2, 4), rate)
    music = sum(
        string(random, rate, 110 * 2 ** (random.integers(0, 24) / 12), t[-1] + 0.01)[: len(t)]
        for _ in range(6)
    )
    drums = np.zeros(len(t))
    for beat in np.arange(0, t[-1], 0.4):
        hit = snare(random, rate)
        place(drums, hit, round(beat * rate), 1.5)
    mixed = np.tanh(1.5 * (unit(music) + 0.6 * unit(drums)))
    return unit(mixed)


OPEN: dict[str, Family] = {
    "voice": voice,
    "whisper": whisper,
    "quiet whisper": quiet_whisper,
    "heavy rain": heavy_rain,
    "wind": wind,
    "white whoosh": whoosh,
    "riser": riser,
    "radio static": radio_static,
    "snare": snare,
    "hi-hats": hihats,
    "crash cymbal": crash,
    "square tune": square_tune,
    "distorted guitar": distorted_guitar,
    "sub bass": sub_bass,
    "click": click,
    "UI beep": ui_beep,
    "drone": drone,
    "gap in an ambience": ambience_with_a_gap,
    "drips": drips,
    "fading pad": fading_pad,
    "hit in a hall": hit_in_a_hall,
    "brass": brass,
    "cosine pluck": plucked_octave,
    "hard panned": panned,
    "anti-phase wide": wide,
    "loud master": loud_master,
}
