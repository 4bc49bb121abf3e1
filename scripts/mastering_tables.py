"""The tables of docs/mastering.md: agreement with other meters, what they read of limited masters, and a thousand
mixed masters.

    python scripts/mastering_tables.py agreement [--signals 300]
    python scripts/mastering_tables.py ceiling [--signals 300]
    python scripts/mastering_tables.py masters [--count 1000]

Needs ffmpeg on the PATH for the first two.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyloudnorm
import soxr
from scipy.signal import resample_poly

from pipeline.audio import Clip, read, wav_bytes
from pipeline.delivery import Content, encode, render
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.chain import Master, master
from pipeline.mastering.loudness import energies
from pipeline.mastering.measure import measure
from pipeline.mastering.shape import TakeInput

LOSSY = ("ogg", "mp3", "opus")


def signal(seed: int) -> Clip:
    """Coloured noise and tones of any level, length, rate and one or two channels."""
    random = np.random.default_rng(seed)
    rate = int(random.choice([16_000, 32_000, 44_100, 48_000]))
    length, channels = round(random.uniform(0.5, 8.0) * rate), int(random.integers(1, 3))
    spectrum = np.fft.rfft(random.standard_normal((channels, length)))
    spectrum *= np.maximum(np.arange(spectrum.shape[1]) / length * rate, 30.0) ** -random.uniform(0.0, 1.2)
    wave = np.fft.irfft(spectrum, length)
    wave = wave / np.abs(wave).max() + np.sin(2 * np.pi * random.uniform(50, 5000) * np.arange(length) / rate)
    wave *= np.interp(np.arange(length), np.linspace(0, length, 12), random.uniform(0.0, 1.0, 12))
    return Clip((wave / np.abs(wave).max() * 10 ** (random.uniform(-30, -0.1) / 20)).astype(np.float32), rate)


def _ffmpeg(clip: Clip) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signal.wav"
        path.write_bytes(wav_bytes(clip, "float"))
        plain = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path)]
        command = [*plain, "-af", "ebur128=peak=true", "-f", "null", "-"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    summary = output[output.rindex("Summary:") :]
    summary_values = {
        name: float(value) for name, value in re.findall(r"(I|LRA|Peak):\s+(-?[\d.]+|-?inf)", summary)
    }
    moments, shorts = (
        max(map(float, re.findall(rf"{name}:\s*(-?[\d.]+)", output)), default=-120.0) for name in "MS"
    )
    return {
        "integrated": summary_values["I"],
        "range": summary_values["LRA"],
        "true peak": summary_values["Peak"],
        "momentary": moments,
        "short-term": shorts,
    }


def _highest_by_100_ms(clip: Clip, bins: int) -> float:
    """Highest loudness of ``bins`` x 10 ms, looked at every 100 ms as ffmpeg does."""
    return float(-0.691 + 10.0 * np.log10(energies(clip).windows(bins, 10).max()))


def _range_by_lower_ranks(clip: Clip) -> float | None:
    """Loudness range with the percentiles rounded down to a rank as ffmpeg's histogram has them.

    None below five windows, of which a tenth rounds to none: ffmpeg then reads the gate, 20 LU below the mean.
    """
    short = energies(clip).windows(300, 10)
    audible = short[short >= 10.0 ** ((-70.0 + 0.691) / 10.0)]
    gated = np.sort(audible[audible >= audible.mean() * 0.01])
    low, high = (int(part * len(gated) + 0.5) - 1 for part in (0.10, 0.95))
    return float(10.0 * np.log10(gated[high] / gated[low])) if low >= 0 else None


def _against_pyloudnorm(clip: Clip) -> dict[str, float]:
    """Ours less pyloudnorm's, of the whole sound and of as many whole 100 ms as it has."""
    meter = pyloudnorm.Meter(clip.rate, filter_class="DeMan")
    whole = clip.length * 10 // clip.rate * clip.rate // 10
    parts = {"integrated": clip, "integrated, whole 100 ms": Clip(clip.samples[:, :whole], clip.rate)}
    return {
        name: (measure(part).integrated_lufs or 0.0)
        - meter.integrated_loudness(part.samples.T.astype(np.float64))
        for name, part in parts.items()
    }


def _against_ffmpeg(clip: Clip) -> dict[str, float]:
    """Ours less ffmpeg's; where ours looks otherwise, also looked at as ffmpeg does."""
    ours, theirs = measure(clip), _ffmpeg(clip)
    ended = Clip(np.pad(clip.samples, ((0, 0), (0, clip.rate // 10))), clip.rate)
    off = {
        "integrated": (ours.integrated_lufs or 0.0) - theirs["integrated"],
        "momentary maximum": (ours.momentary_max_lufs or 0.0) - theirs["momentary"],
        "momentary maximum, every 100 ms": _highest_by_100_ms(clip, 40) - theirs["momentary"],
        "true peak": (ours.true_peak_dbtp or 0.0) - theirs["true peak"],
        "true peak, silence after the end": (measure(ended).true_peak_dbtp or 0.0)
        - _ffmpeg(ended)["true peak"],
    }
    if ours.short_term_max_lufs is not None:
        off["short-term maximum"] = ours.short_term_max_lufs - theirs["short-term"]
        off["short-term maximum, every 100 ms"] = _highest_by_100_ms(clip, 300) - theirs["short-term"]
        off["loudness range"] = (ours.loudness_range_lu or 0.0) - theirs["range"]
        by_rank = _range_by_lower_ranks(clip)
        if by_rank is not None:
            off["loudness range, five windows or more, ffmpeg's ranks"] = by_rank - theirs["range"]
    return off


def agreement(signals: int) -> None:
    """Print a row for each meter and value: how far ours is from it."""
    off: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in range(signals):
        clip = signal(seed)
        loudness = measure(clip).integrated_lufs
        if loudness is None or loudness < -65:
            continue
        for meter, differences in (
            ("pyloudnorm (DeMan)", _against_pyloudnorm(clip)),
            ("ffmpeg ebur128", _against_ffmpeg(clip)),
        ):
            for value, difference in differences.items():
                off[meter, value].append(difference)
    print("| meter | value | signals | mean | mean of magnitudes | 99 % within | worst |")
    print("|---|---|---|---|---|---|---|")
    for (meter, value), differences in sorted(off.items(), key=lambda one: (one[0][0] < "p", one[0])):
        size = np.abs(differences)
        print(
            f"| {meter} | {value} | {len(size)} | {np.mean(differences):+.3f} | {size.mean():.3f} "
            f"| {np.quantile(size, 0.99):.3f} | {size.max():.3f} |"
        )


def _hot(seed: int, rate: int) -> Clip:
    """A second of noise up to Nyquist, steady or dying away, some of it clipped."""
    random = np.random.default_rng(90_000 + seed)
    wave = random.standard_normal((1, rate)) * np.exp(-np.arange(rate) / rate * random.choice([0.0, 6.0]))
    wave = np.clip(wave * 3, -1, 1) if seed % 2 else wave
    return Clip((wave / np.abs(wave).max()).astype(np.float32), rate)


def _finer(samples: npt.NDArray[np.float32]) -> dict[str, float]:
    """Peaks between the samples of mono in dBTP, by interpolators that are not ours."""
    padded = np.pad(samples, 1000)
    upsampled = {f"scipy resample_poly, {times}x": resample_poly(padded, times, 1) for times in (4, 8, 16)}
    upsampled["soxr VHQ, 4x"] = soxr.resample(padded, 1, 4, quality="VHQ")
    return {name: float(20 * np.log10(np.abs(values).max())) for name, values in upsampled.items()}


def ceiling(signals: int) -> None:
    """Print how near the ceiling meters find masters that went through the limiter."""
    kinds = {"made at 32 kHz": 32_000, "up to Nyquist": 48_000}
    read: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in kinds}
    for kind, rate in kinds.items():
        for seed in range(signals):
            spec = MasteringSpec(-10.0, -1.0, 48_000, 1, 1.0, False, None, False, 0.0, 0.0)
            made = master([TakeInput(_hot(seed, rate))], spec)[0]
            if not isinstance(made, Master) or not made.limited_db:
                continue
            ended = Clip(np.pad(made.clip.samples, ((0, 0), (0, 4800))), made.clip.rate)
            readings = {
                "ours": measure(made.clip).true_peak_dbtp or 0.0,
                "ffmpeg ebur128": _ffmpeg(ended)["true peak"],
            }
            for meter, value in (readings | _finer(made.clip.samples[0])).items():
                read[kind][meter].append(value + 1.0)
    print("| meter | " + " | ".join(f"noise {kind}: mean, highest" for kind in kinds) + " |")
    print("|---|" + "---|" * len(kinds))
    for meter in read["up to Nyquist"]:
        cells = (f"{np.mean(read[kind][meter]):+.2f}, {max(read[kind][meter]):+.2f}" for kind in kinds)
        print(f"| {meter} | {' | '.join(cells)} |")


def _mixed(seed: int) -> tuple[Clip, MasteringSpec]:
    """A take and its spec: effects of 60 ms to 2 s, music, loops; targets that can and cannot be met."""
    random = np.random.default_rng(50_000 + seed)
    if seed % 10 < 7:
        clip = signal(seed)
        clip = Clip(clip.samples[:, : round(random.uniform(0.06, 2.0) * clip.rate)], clip.rate)
        clip = Clip(
            clip.samples * np.exp(-np.linspace(0, random.uniform(1, 6), clip.length, dtype=np.float32)),
            clip.rate,
        )
        rate, channels = int(random.choice([44_100, 48_000])), 1
        spec = MasteringSpec(
            float(random.choice([-24, -18, -14])), -1.0, rate, channels, 3.0, False, None, True, 0.0, 0.01
        )
        return clip, spec
    loop = seed % 10 == 9
    clip = signal(seed)
    samples = np.tile(clip.samples, 1 + int(7 * clip.rate / clip.length))[:, : 7 * clip.rate]
    stereo = np.repeat(samples, 2, axis=0)[:2]
    bpm = 120.0 if loop else None
    spec = MasteringSpec(
        float(random.choice([-20, -16, -11])), -1.0, 48_000, 2, 5.0, loop, bpm, False, 0.0, 0.2 * (not loop)
    )
    return Clip(np.ascontiguousarray(stereo), clip.rate), spec


def _level(made: Master, clip: Clip) -> float:
    step = next(one for one in made.chain if one["step"] == "gain")
    measured = measure(clip, circular=made.loop is not None)
    value = {
        "integrated": measured.integrated_lufs,
        "momentary": measured.momentary_max_lufs,
        "peak": measured.true_peak_dbtp,
    }
    return float(value[step["method"]] or 0.0) - float(step["target"])


def masters(count: int) -> None:
    """Print how many are on target, why the others are not, and the highest true peak of each format."""
    reasons: Counter[str] = Counter()
    highest: dict[str, float] = defaultdict(lambda: -200.0)
    lowered: Counter[str] = Counter()
    unexplained = 0
    for seed in range(count):
        take, spec = _mixed(seed)
        made = master([TakeInput(take)], spec)[0]
        if not isinstance(made, Master):
            reasons[str(made).split(";")[0].split(",")[0]] += 1
            continue
        decoded = read(encode(made.clip, "wav", Content("24")))
        off = abs(_level(made, decoded))
        unexplained += off > 0.2 and made.deviation is None
        reasons["on target" if off <= 0.2 else made.deviation or "unexplained"] += 1
        peak = measure(decoded, circular=made.loop is not None).true_peak_dbtp
        highest["wav"] = max(highest["wav"], peak if peak is not None else -200.0)
        for name in LOSSY:
            rendition = render(made.clip, name, Content(loop=made.loop), ceiling_dbtp=spec.true_peak_dbtp)
            decoded_peak = measure(read(rendition.data)).true_peak_dbtp
            highest[name] = max(highest[name], decoded_peak if decoded_peak is not None else -200.0)
            lowered[name] += rendition.lowered_db > 0
    print("| outcome | masters |\n|---|---|")
    for reason, number in reasons.most_common():
        print(f"| {reason} | {number} |")
    print(
        f"\nOff target without a recorded reason: {unexplained}\n\n"
        "| format | highest true peak | lowered |\n|---|---|---|"
    )
    for name, peak in highest.items():
        print(f"| {name} | {peak:.2f} dBTP | {lowered[name]} |")


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=["agreement", "ceiling", "masters"])
    parser.add_argument("--signals", type=int, default=300)
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.table == "agreement":
        agreement(arguments.signals)
    elif arguments.table == "ceiling":
        ceiling(arguments.signals)
    else:
        masters(arguments.count)


if __name__ == "__main__":
    main()
