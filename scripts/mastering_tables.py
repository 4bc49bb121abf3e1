"""The tables of docs/mastering.md: agreement with other meters, and a thousand mixed masters.

    python scripts/mastering_tables.py agreement [--signals 200]
    python scripts/mastering_tables.py masters [--count 1000]

Needs ffmpeg on the PATH for the first.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyloudnorm

from pipeline.audio import Clip, read, wav_bytes
from pipeline.delivery import encode, render
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering import Master, TakeInput, master, measure

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
        command = [
            "ffmpeg",
            "-hide_banner",
            "-nostats",
            "-i",
            str(path),
            "-af",
            "ebur128=peak=true",
            "-f",
            "null",
            "-",
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    summary = told[told.rindex("Summary:") :]
    found = {name: float(value) for name, value in re.findall(r"(I|LRA|Peak):\s+(-?[\d.]+|-?inf)", summary)}
    moments = [float(value) for value in re.findall(r"M:\s*(-?[\d.]+)", told)]
    return {"integrated": found["I"], "true peak": found["Peak"], "momentary": max(moments, default=-120.0)}


def agreement(signals: int) -> None:
    """Print a row for each meter and value: how far ours is from it."""
    off: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in range(signals):
        clip = signal(seed)
        ours, theirs = measure(clip), _ffmpeg(clip)
        if ours.integrated_lufs is None or ours.integrated_lufs < -65:
            continue
        meter = pyloudnorm.Meter(clip.rate, filter_class="DeMan")
        off["pyloudnorm (DeMan)", "integrated"].append(
            ours.integrated_lufs - meter.integrated_loudness(clip.samples.T.astype(np.float64))
        )
        off["ffmpeg ebur128", "integrated"].append(ours.integrated_lufs - theirs["integrated"])
        off["ffmpeg ebur128", "momentary maximum"].append(
            (ours.momentary_max_lufs or 0.0) - theirs["momentary"]
        )
        off["ffmpeg ebur128", "true peak"].append((ours.true_peak_dbtp or 0.0) - theirs["true peak"])
    print(
        "| meter | value | signals | mean | mean of magnitudes | 99 % within | worst |\n|---|---|---|---|---|---|---|"
    )
    for (meter_name, value), found in off.items():
        size = np.abs(found)
        print(
            f"| {meter_name} | {value} | {len(found)} | {np.mean(found):+.3f} | {size.mean():.3f} "
            f"| {np.quantile(size, 0.99):.3f} | {size.max():.3f} |"
        )


def _mixed(seed: int) -> tuple[Clip, MasteringSpec]:
    """A take and what is asked of it: effects of 60 ms to 2 s, music, loops; targets that can and cannot be met."""
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
    found = measure(clip, circular=made.loop is not None)
    value = {
        "integrated": found.integrated_lufs,
        "momentary": found.momentary_max_lufs,
        "peak": found.true_peak_dbtp,
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
        made = master([TakeInput(take)], spec).results[0]
        if not isinstance(made, Master):
            reasons[str(made).split(";")[0].split(",")[0]] += 1
            continue
        decoded = read(encode(made.clip, "wav", "24"))
        off = abs(_level(made, decoded))
        unexplained += off > 0.2 and made.deviation is None
        reasons["on target" if off <= 0.2 else made.deviation or "unexplained"] += 1
        peak = measure(decoded, circular=made.loop is not None).true_peak_dbtp
        highest["wav"] = max(highest["wav"], peak if peak is not None else -200.0)
        for name in LOSSY:
            found = render(made.clip, name, loop=made.loop, ceiling_dbtp=spec.true_peak_dbtp)
            heard = measure(read(found.data)).true_peak_dbtp
            highest[name] = max(highest[name], heard if heard is not None else -200.0)
            lowered[name] += found.lowered_db > 0
    print("| outcome | masters |\n|---|---|")
    for reason, number in reasons.most_common():
        print(f"| {reason} | {number} |")
    print(
        f"\nwithout a recorded reason: {unexplained}\n\n| format | highest true peak | lowered |\n|---|---|---|"
    )
    for name, peak in highest.items():
        print(f"| {name} | {peak:.2f} dBTP | {lowered[name]} |")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=["agreement", "masters"])
    parser.add_argument("--signals", type=int, default=200)
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.table == "agreement":
        agreement(arguments.signals)
    else:
        masters(arguments.count)


if __name__ == "__main__":
    main()
