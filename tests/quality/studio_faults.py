"""The faults of the studio set: each takes a good sound and breaks it as generation, editing or code does.

``LISTED`` are the faults that the gates promise to find; ``BEYOND`` are other faults, which they may miss.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from studio_synthesis import Random, Wave, coded, colour, sine, times, unit

from pipeline.audio import Clip, Loop, resample
from pipeline.quality import GateInput


@dataclass(frozen=True, eq=False)
class Sound(GateInput):
    """A sound with its label; ``fault`` is None where nothing is wrong."""

    base: str = ""
    fault: str | None = None
    kind: str = "sfx"
    other: Clip | None = None
    """An earlier variation of the same asset."""


Fault = Callable[[Random, Sound, float], Sound]
"""(random, good sound, strength from 0 to 1) to the broken one."""


def _with(sound: Sound, samples: Wave) -> Sound:
    return replace(sound, clip=Clip(np.ascontiguousarray(samples, np.float32), sound.clip.rate))


def _loudest(sound: Sound, seconds: float) -> int:
    """Start of the loudest stretch of ``seconds``."""
    width = min(sound.clip.length, round(seconds * sound.clip.rate))
    power = np.cumsum(np.pad((sound.clip.samples.astype(float) ** 2).sum(0), (1, 0)))
    return int(np.argmax(power[width:] - power[:-width])) if width < sound.clip.length else 0


def nan(random: Random, sound: Sound, strength: float) -> Sound:
    samples = sound.clip.samples.copy()
    count = 1 + round(strength * samples.shape[1] * 0.1)
    samples[:, random.integers(samples.shape[1], size=count)] = np.nan
    return _with(sound, samples)


def infinite(random: Random, sound: Sound, strength: float) -> Sound:
    samples = sound.clip.samples.copy()
    samples[-1, random.integers(samples.shape[1])] = random.choice((np.inf, -np.inf))
    return _with(sound, samples)


def silence(random: Random, sound: Sound, strength: float) -> Sound:
    return _with(sound, 0 * sound.clip.samples)


def near_silence(random: Random, sound: Sound, strength: float) -> Sound:
    loudest = float(np.abs(sound.clip.samples).max())
    return _with(sound, sound.clip.samples / loudest * 10 ** ((-75 - 35 * strength) / 20))


def _clip_level(sound: Sound, share: float) -> float:
    magnitudes = np.abs(sound.clip.samples)
    return float(np.quantile(magnitudes[magnitudes > 0.02 * magnitudes.max()], 1 - share))


def clipped(random: Random, sound: Sound, strength: float) -> Sound:
    """1 to 25 % of the audible samples, at full scale."""
    level = _clip_level(sound, 0.01 * 25**strength)
    return _with(sound, np.clip(sound.clip.samples / level, -1, 1))


def clipped_and_lowered(random: Random, sound: Sound, strength: float) -> Sound:
    lowered = clipped(random, sound, strength)
    return _with(sound, lowered.clip.samples * random.uniform(0.1, 0.9))


def clipped_one_side(random: Random, sound: Sound, strength: float) -> Sound:
    level = _clip_level(sound, 0.02 * 15**strength)
    return _with(sound, np.minimum(sound.clip.samples / level, 1) * random.uniform(0.4, 1))


def offset(random: Random, sound: Sound, strength: float) -> Sound:
    moved = 0.02 * 15**strength * random.choice((-1, 1))
    peak = float(np.abs(sound.clip.samples).max())
    return _with(sound, sound.clip.samples / peak * min(0.9, 1 - abs(moved)) + moved)


def drifting_offset(random: Random, sound: Sound, strength: float) -> Sound:
    moved = 0.05 * 6**strength * random.choice((-1, 1))
    drift = np.linspace(0.2, 1, sound.clip.length) * moved
    return _with(sound, sound.clip.samples * 0.6 + drift[:: random.choice((-1, 1))])


def shorter(random: Random, sound: Sound, strength: float) -> Sound:
    requested = sound.clip.seconds / (0.55 - 0.4 * strength)
    return replace(sound, requested_s=requested, kind="music")


def a_splinter(random: Random, sound: Sound, strength: float) -> Sound:
    start = _loudest(sound, 0.004)
    return _with(
        sound, sound.clip.samples[:, start : start + round(sound.clip.rate * (0.004 - 0.003 * strength))]
    )


def longer(random: Random, sound: Sound, strength: float) -> Sound:
    return replace(sound, requested_s=sound.clip.seconds / (1.6 + 2 * strength), kind="music")


def wrong_rate(random: Random, sound: Sound, strength: float) -> Sound:
    rates = [rate for rate in (16000, 22050, 32000, 44100, 48000) if rate != sound.clip.rate]
    return replace(sound, rate_hz=int(random.choice(rates)))


def noise_only(random: Random, sound: Sound, strength: float) -> Sound:
    rate = sound.clip.rate
    length = round(random.uniform(1.5, 5) * rate)
    noise = colour(random, length, 2 * strength)
    return _with(sound, noise[None] * random.uniform(0.05, 0.9))


def codec_noise(random: Random, sound: Sound, strength: float) -> Sound:
    """What a decoder makes of random tokens: every 20 ms another spectrum of noise."""
    hop = round(0.02 * sound.clip.rate)
    frames = round(random.uniform(1.5, 4) / 0.02)
    wave = np.zeros((frames + 1) * hop)
    window = np.hanning(2 * hop)
    for frame in range(frames):
        bands = 10 ** (random.normal(0, 0.3 + 0.4 * strength, hop // 8 + 1) / 2)
        shape = np.interp(np.arange(hop + 1), np.linspace(0, hop, len(bands)), bands)
        piece = np.fft.irfft(np.fft.rfft(random.standard_normal(2 * hop)) * shape, 2 * hop)
        wave[frame * hop : (frame + 2) * hop] += window * piece
    return _with(sound, unit(wave)[None] * random.uniform(0.1, 0.9))


def coded_noise(random: Random, sound: Sound, strength: float) -> Sound:
    noise = noise_only(random, sound, strength * 0.6)
    return _with(
        noise,
        unit(coded(noise.clip.samples[0], sound.clip.rate, str(random.choice(("OGG", "MP3"))), 0.8))[None]
        * 0.5,
    )


def hissing_tail(random: Random, sound: Sound, strength: float) -> Sound:
    """A sound that is over, and then noise to the end, as a codec model decodes what it did not generate."""
    rate = sound.clip.rate
    body = sound.clip.samples[0].astype(float)
    tail = colour(random, round(random.uniform(0.3, 1.2) * rate), random.uniform(0, 1))
    loud = np.abs(body).max() * 10 ** (-(6 + 24 * (1 - strength)) / 20)
    fade = times(0.08, rate)
    body[-len(fade) :] *= np.linspace(1, 0, len(fade)) if len(body) > len(fade) else 1
    quiet = np.zeros(round(random.uniform(0, 0.3) * rate))
    return _with(sound, np.concatenate([body, quiet, tail * loud])[None])


def _duplicate(sound: Sound, other: Wave) -> Sound:
    return replace(sound, other=Clip(np.ascontiguousarray(other, np.float32), sound.clip.rate))


def louder_twin(random: Random, sound: Sound, strength: float) -> Sound:
    return _duplicate(sound, sound.clip.samples * 10 ** (-(1 + 17 * strength) / 20))


def shifted_twin(random: Random, sound: Sound, strength: float) -> Sound:
    lead = np.zeros((sound.clip.channels, round((0.002 + 0.1 * strength) * sound.clip.rate)), np.float32)
    return _duplicate(sound, np.concatenate([lead, sound.clip.samples], 1))


def flipped_twin(random: Random, sound: Sound, strength: float) -> Sound:
    return _duplicate(sound, -sound.clip.samples)


def coded_twin(random: Random, sound: Sound, strength: float) -> Sound:
    return _duplicate(
        sound,
        coded(
            sound.clip.samples[0], sound.clip.rate, str(random.choice(("OGG", "MP3"))), 0.3 + 0.5 * strength
        )[None],
    )


def resampled_twin(random: Random, sound: Sound, strength: float) -> Sound:
    down = resample(sound.clip, round(sound.clip.rate * (0.9 - 0.4 * strength)))
    return replace(sound, other=resample(down, sound.clip.rate))


def noisy_twin(random: Random, sound: Sound, strength: float) -> Sound:
    level = np.abs(sound.clip.samples).max() * 10 ** (-(60 - 20 * strength) / 20)
    return _duplicate(sound, sound.clip.samples + level * random.standard_normal(sound.clip.samples.shape))


def seam_step(random: Random, sound: Sound, strength: float) -> Sound:
    """A steady tone that is cut where it stands at another phase, and quieter."""
    rate = sound.clip.rate
    t = times(random.uniform(2, 4), rate)
    tone = sum(sine(hertz, t) for hertz in random.uniform(90, 500, 3)) / 3
    tone = tone * np.linspace(1, 1 - 0.9 * strength, len(t))
    end = len(t) - int(np.argmax(np.abs(tone[::-1] - tone[0]) > 0.3))
    return replace(_with(sound, tone[None, :end]), loop=Loop(0, end))


LISTED: dict[str, Fault] = {
    "NaN": nan,
    "infinity": infinite,
    "silence": silence,
    "near silence": near_silence,
    "clipped": clipped,
    "clipped, lowered": clipped_and_lowered,
    "clipped on one side": clipped_one_side,
    "DC": offset,
    "drifting DC": drifting_offset,
    "too short": shorter,
    "a splinter": a_splinter,
    "too long": longer,
    "wrong rate": wrong_rate,
    "noise": noise_only,
    "codec noise": codec_noise,
    "coded noise": coded_noise,
    "hissing tail": hissing_tail,
    "louder twin": louder_twin,
    "shifted twin": shifted_twin,
    "inverted twin": flipped_twin,
    "coded twin": coded_twin,
    "resampled twin": resampled_twin,
    "noisy twin": noisy_twin,
    "seam": seam_step,
}


def dropout(random: Random, sound: Sound, strength: float) -> Sound:
    seconds = 0.01 + 0.15 * strength
    start = _loudest(sound, seconds)
    samples = sound.clip.samples.copy()
    samples[:, start : start + round(seconds * sound.clip.rate)] = 0
    return _with(sound, samples)


def stuck(random: Random, sound: Sound, strength: float) -> Sound:
    seconds = 0.005 + 0.1 * strength
    start = _loudest(sound, seconds)
    samples = sound.clip.samples.copy()
    start += int(np.argmax(np.abs(samples[0, start : start + round(seconds * sound.clip.rate)])))
    samples[:, start : start + round(seconds * sound.clip.rate)] = samples[:, start : start + 1]
    return _with(sound, samples)


def stutter(random: Random, sound: Sound, strength: float) -> Sound:
    width = round((0.01 + 0.05 * strength) * sound.clip.rate)
    start = _loudest(sound, 2 * width / sound.clip.rate)
    samples = sound.clip.samples.copy()
    for again in range(1, 4):
        at = start + again * width
        if at + width <= samples.shape[1]:
            samples[:, at : at + width] = samples[:, start : start + width]
    return _with(sound, samples)


def pops(random: Random, sound: Sound, strength: float) -> Sound:
    samples = sound.clip.samples * 0.6
    for at in random.integers(samples.shape[1], size=1 + round(6 * strength)):
        samples[:, at : at + int(random.integers(1, 3))] = random.choice((-1, 1)) * random.uniform(0.7, 1)
    return _with(sound, samples)


def dead_channel(random: Random, sound: Sound, strength: float) -> Sound:
    near = sound.clip.samples[0]
    return _with(sound, np.stack([near, 0 * near][:: random.choice((-1, 1))]))


def wrapped(random: Random, sound: Sound, strength: float) -> Sound:
    over = sound.clip.samples / _clip_level(sound, 0.01 * 20**strength)
    return _with(sound, (over + 1) % 2 - 1)


def hum(random: Random, sound: Sound, strength: float) -> Sound:
    t = times(random.uniform(1.5, 4), sound.clip.rate)
    mains = random.choice((50, 60))
    wave = sum(
        sine(mains * part, t, random.uniform(0, 6)) * random.uniform(0.1, 1) / part for part in range(1, 9)
    )
    return _with(sound, unit(wave)[None] * 10 ** ((-40 + 25 * strength) / 20))


def cut_off(random: Random, sound: Sound, strength: float) -> Sound:
    start = _loudest(sound, 0.1)
    end = start + round((0.05 + 0.05 * strength) * sound.clip.rate)
    return _with(sound, sound.clip.samples[:, : min(end, sound.clip.length)])


BEYOND: dict[str, Fault] = {
    "dropout": dropout,
    "stuck sample": stuck,
    "stutter": stutter,
    "pops": pops,
    "dead channel": dead_channel,
    "wrap-around": wrapped,
    "hum": hum,
    "cut off": cut_off,
}
