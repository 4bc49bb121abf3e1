"""Compare the mastering chain with a typical studio script, on one core, in one run.

    python benchmarks/mastering.py [--quick] [--json] [--folder FOLDER]

The benchmark generates 500 short effects and 50 loops and writes them as 16-bit WAV, like the output of a model. Each
chain turns a file into a finished file at 48 kHz, 24 bit:

- ours: `pipeline.mastering.master` and `pipeline.delivery.render`: trim or loop cut, soxr, loudness, true-peak
  limiter, all measurements, labels in bext, iXML and INFO. No chain includes quality gates (which measure a loop's
  seam): they come after mastering;
- the pydub chain: pydub loads, strips silence (`detect_leading_silence`, 10 ms chunks, both ends), folds channels,
  fades or crossfades the loop, and converts the rate; pyloudnorm measures and normalises; soundfile writes.
  pydub converts rates by linear interpolation, which is fast and aliases, so a second figure is for the same chain
  with soxr. It limits no true peak and writes no tags and no report;
- ffmpeg-normalize: EBU R128 in two passes to the same target, ceiling, rate and format, many files a call.

Time is CPU time of the process and its children, so other work on the machine has little effect. Every ratio is the
time of the other chain over ours, measured in alternating rounds; the output is the median with the minimum and
maximum. Files are in memory (/dev/shm) if the system has it, because the cost of a file system is the same for all
chains; `--folder` puts them elsewhere.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
import warnings
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import platformdirs  # noqa: E402
import pyloudnorm  # noqa: E402
import soundfile  # noqa: E402
import soxr  # noqa: E402
from pydub import AudioSegment  # noqa: E402
from pydub.silence import detect_leading_silence  # noqa: E402

from pipeline.audio import read  # noqa: E402
from pipeline.delivery import Content, Labels, render  # noqa: E402
from pipeline.errors import MasteringError  # noqa: E402
from pipeline.manifest.spec import MasteringSpec  # noqa: E402
from pipeline.mastering.chain import master  # noqa: E402
from pipeline.mastering.shape import TakeInput  # noqa: E402

FFMPEG_NORMALIZE = "ffmpeg-normalize==1.43.0"
warnings.filterwarnings("ignore", message="Possible clipped samples")
RATE = 48_000
CEILING = -1.0
CROSSFADE_MS = 500
_ROOM = 2 << 30
"""Bytes that must be free in memory for the files; all rounds together need a quarter of it."""
LABELS = Labels(
    "bench_01", "bench", "sfx/bench", 1, "sfx", "c" * 64, "Procedural sound.", False, "MIT", "r" * 64
)


@dataclass(frozen=True)
class Job:
    """One file to finish."""

    path: Path
    spec: MasteringSpec
    seconds: float
    """Length of the file."""


def _effect(random: np.random.Generator, rate: int) -> np.ndarray:
    """A decaying hit of coloured noise and tones between two silences."""
    seconds = random.uniform(0.25, 2.5)
    places = np.arange(round(seconds * rate)) / rate
    body = random.standard_normal(len(places)) * 0.5 + np.sin(2 * np.pi * random.uniform(80, 1500) * places)
    hit = body * np.exp(-places * random.uniform(2.0, 12.0) / seconds)
    ends = (round(random.uniform(0.02, 0.2) * rate), round(random.uniform(0.05, 0.5) * rate))
    return np.pad(hit / np.abs(hit).max() * random.uniform(0.1, 0.95), ends)[None]


def _music(random: np.random.Generator, rate: int, seconds: float, bpm: float) -> np.ndarray:
    """Chords, beats and hiss in stereo."""
    places = np.arange(round(seconds * rate)) / rate
    beat = np.exp(-8.0 * (places % (60 / bpm)))
    notes = random.uniform(80, 1000, (2, 4, 1))
    chords = np.sin(2 * np.pi * notes * places).sum(axis=1)
    wave_ = chords * 0.15 + beat * random.standard_normal((2, len(places))) * 0.2
    return np.asarray(wave_ / np.abs(wave_).max() * random.uniform(0.3, 0.95))


def _write(path: Path, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((len(samples), 2, rate, 0, "NONE", ""))
        file.writeframes((samples.T * 32767).astype("<i2").tobytes())


def make_jobs(folder: Path, effects: int, loops: int) -> tuple[list[Job], list[Job]]:
    """Write the files, in turn at the rates of today's models and of a recorder."""
    short, long = [], []
    for number in range(effects):
        random, rate = np.random.default_rng(number), (16_000, 32_000, 44_100, 48_000)[number % 4]
        samples = _effect(random, rate)
        path = folder / f"effect_{number:03d}.wav"
        _write(path, samples, rate)
        spec = MasteringSpec(-18.0, CEILING, RATE, 1, 3.5, False, None, True, 0.001, 0.01)
        short.append(Job(path, spec, samples.shape[1] / rate))
    for number in range(loops):
        random, rate = np.random.default_rng(10_000 + number), (32_000, 44_100)[number % 2]
        bpm, bars = random.uniform(80, 140), int(random.integers(4, 9))
        length = bars * 4 * 60 / bpm
        samples = _music(random, rate, length + 1.0, bpm)
        path = folder / f"loop_{number:03d}.wav"
        _write(path, samples, rate)
        spec = MasteringSpec(-16.0, CEILING, RATE, 2, length, True, bpm, False, 0.0, 0.0)
        long.append(Job(path, spec, samples.shape[1] / rate))
    return short, long


def ours(job: Job) -> bytes:
    """Cuesmith's whole chain."""
    made = master([TakeInput(read(job.path))], job.spec)[0]
    if isinstance(made, MasteringError):
        raise made
    return render(
        made.clip,
        "wav",
        Content("24", loop=made.loop, labels=LABELS, measured=made.measured),
        ceiling_dbtp=CEILING,
    ).data


def _stripped(sound: AudioSegment) -> AudioSegment:
    start = detect_leading_silence(sound, silence_threshold=-60.0, chunk_size=10)
    end = detect_leading_silence(sound.reverse(), silence_threshold=-60.0, chunk_size=10)
    return sound[start : len(sound) - end]


def _looped(sound: AudioSegment, length_ms: int) -> AudioSegment:
    """A loop as pydub's users make it: the sound after the end, crossfaded into the start."""
    rest = sound[length_ms : length_ms + CROSSFADE_MS]
    head = sound[: len(rest)].fade_in(len(rest)).overlay(rest.fade_out(len(rest)))
    return head + sound[len(rest) : length_ms]


def _floats(sound: AudioSegment) -> np.ndarray:
    return np.array(sound.get_array_of_samples()).reshape(-1, sound.channels) / 32768.0


def _pydub(job: Job, by_soxr: bool) -> bytes:
    sound = AudioSegment.from_wav(str(job.path)).set_channels(job.spec.channels)
    if job.spec.loop:
        sound = _looped(sound, round(job.spec.duration_s * 1000))
    else:
        sound = _stripped(sound).fade_in(1).fade_out(10)
    if by_soxr:
        samples = soxr.resample(_floats(sound), sound.frame_rate, RATE, quality="HQ")
    else:
        samples = _floats(sound.set_frame_rate(RATE))
    missing = round(0.4 * RATE) - len(samples)
    heard = np.pad(samples, ((0, missing), (0, 0))) if missing > 0 else samples
    loudness = pyloudnorm.Meter(RATE).integrated_loudness(heard)
    samples = pyloudnorm.normalize.loudness(samples, loudness, job.spec.loudness_lufs)
    peak = float(np.abs(samples).max())
    highest = 10.0 ** (CEILING / 20.0)
    if peak > highest:
        samples = samples * (highest / peak)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, subtype="PCM_24", format="WAV")
    return file.getvalue()


def pydub_chain(job: Job) -> bytes:
    """The studio script, with pydub's own rate conversion."""
    return _pydub(job, by_soxr=False)


def pydub_soxr_chain(job: Job) -> bytes:
    """The studio script, with a rate conversion as good as ours."""
    return _pydub(job, by_soxr=True)


def _spent() -> float:
    """CPU seconds of this process and its finished children; wall time if the system cannot tell."""
    if os.name == "nt":
        return time.perf_counter()
    import resource  # noqa: PLC0415

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _time(work: Callable[[], object]) -> float:
    began = _spent()
    work()
    return _spent() - began


def _each(chain: Callable[[Job], bytes], jobs: Sequence[Job], folder: Path) -> Callable[[], None]:
    def work() -> None:
        for job in jobs:
            (folder / job.path.name).write_bytes(chain(job))

    return work


def ffmpeg_normalize() -> list[str]:
    """The command, installed on first use into its own environment in the user's cache."""
    home = Path(platformdirs.user_cache_dir("cuesmith")) / "benchmarks" / FFMPEG_NORMALIZE.replace("==", "-")
    folder = home / ("Scripts" if os.name == "nt" else "bin")
    python = folder / ("python.exe" if os.name == "nt" else "python")
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, FFMPEG_NORMALIZE], check=True, stdout=sys.stderr)
        (home / "ready").touch()
    return [str(python), "-m", "ffmpeg_normalize"]


def _ffmpeg() -> str:
    found = shutil.which("ffmpeg")
    if found:
        return found
    import imageio_ffmpeg  # noqa: PLC0415

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _normalize(jobs: Sequence[Job], folder: Path) -> Callable[[], None]:
    """All jobs of one target in one call, each file on one thread."""
    command = ffmpeg_normalize()
    environment = {**os.environ, "FFMPEG_PATH": _ffmpeg()}

    def work() -> None:
        for target in sorted({job.spec.loudness_lufs for job in jobs}):
            files = [str(job.path) for job in jobs if job.spec.loudness_lufs == target]
            options = [
                "-nt",
                "ebu",
                "-t",
                f"{target:g}",
                "-tp",
                f"{CEILING:g}",
                "--dual-mono",
                "-ar",
                str(RATE),
            ]
            options += [
                "-q",
                "-c:a",
                "pcm_s24le",
                "-ext",
                "wav",
                "-of",
                str(folder),
                "-f",
                "-e=-threads 1",
            ]
            subprocess.run(
                [*command, *files, *options],
                check=True,
                env=environment,
                stdout=sys.stderr,
                stderr=sys.stderr,
            )

    return work


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


def _rounds(count: int, works: dict[str, Callable[[], None]]) -> Iterator[dict[str, float]]:
    for _ in range(count):
        yield {name: _time(work) for name, work in works.items()}


def compare(jobs: Sequence[Job], folder: Path, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of our chain and the two of pydub over ``jobs``, by round."""
    chains = {"ours": ours, "pydub": pydub_chain, "pydub_soxr": pydub_soxr_chain}
    works = {name: _each(chain, jobs, folder) for name, chain in chains.items()}
    for chain in chains.values():
        chain(jobs[0])
    taken = list(_rounds(rounds, works))
    return {name: [one[name] for one in taken] for name in chains}


def _ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(over, under, strict=True)]


def _normalize_ratios(jobs: Sequence[Job], folder: Path, rounds: int) -> list[float]:
    works = {"theirs": _normalize(jobs, folder), "ours": _each(ours, jobs, folder)}
    return [one["theirs"] / one["ours"] for one in _rounds(rounds, works)]


def _in_memory() -> Path | None:
    """A folder in memory with room for all files; None without one."""
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK) or shutil.disk_usage(folder).free < _ROOM:
        return None
    return folder


def measure(quick: bool, folder: Path | None) -> dict[str, Any]:
    """The object that ``--json`` prints; files are in ``folder``, or in the system's temporary folder."""
    effects, loops, rounds = (100, 10, 3) if quick else (500, 50, 5)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source, target = Path(name) / "in", Path(name) / "out"
        source.mkdir()
        target.mkdir()
        short, long = make_jobs(source, effects, loops)
        effect_times, loop_times = compare(short, target, rounds), compare(long, target, rounds)
        some = [*short[:20], *long[:2]] if quick else [*short, *long]
        normalize = _normalize_ratios(some, target, 1 if quick else 2)
    both = {
        key: [a + b for a, b in zip(effect_times[key], loop_times[key], strict=True)] for key in effect_times
    }
    seconds = sum(job.seconds for job in (*short, *long))
    against = {
        "pydub_chain": _ratios(both["pydub"], both["ours"]),
        "pydub_chain_effects": _ratios(effect_times["pydub"], effect_times["ours"]),
        "pydub_chain_loops": _ratios(loop_times["pydub"], loop_times["ours"]),
        "pydub_soxr_chain": _ratios(both["pydub_soxr"], both["ours"]),
        "pydub_soxr_chain_effects": _ratios(effect_times["pydub_soxr"], effect_times["ours"]),
        "pydub_soxr_chain_loops": _ratios(loop_times["pydub_soxr"], loop_times["ours"]),
        "ffmpeg_normalize": normalize,
    }
    speeds = [seconds / taken for taken in both["ours"]]
    return {
        **{f"ratio_vs_{name}": round(statistics.median(values), 3) for name, values in against.items()},
        "x_realtime_per_core": round(statistics.median(speeds), 1),
        "spread": {
            name: _spread(values) for name, values in (against | {"x_realtime_per_core": speeds}).items()
        },
        "ms_per_effect": round(1e3 * statistics.median(effect_times["ours"]) / effects, 3),
        "ms_per_loop": round(1e3 * statistics.median(loop_times["ours"]) / loops, 3),
        "audio_seconds": round(seconds, 1),
        "effects": effects,
        "loops": loops,
        "rounds": rounds,
        "quick": quick,
        "folder": str(folder or tempfile.gettempdir()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of the files, within a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else on stdout")
    parser.add_argument(
        "--folder", type=Path, help="where files lie (default: in memory, else a temporary folder)"
    )
    arguments = parser.parse_args()
    if arguments.folder is not None and not arguments.folder.is_dir():
        parser.error(f"--folder {arguments.folder} is not a folder; create it first, or omit --folder")
    result = measure(arguments.quick, arguments.folder or _in_memory())
    if arguments.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        if key != "spread":
            spread = result["spread"].get(key.removeprefix("ratio_vs_"))
            print(f"{key:38} {value}" + (f"   ({spread['least']} to {spread['most']})" if spread else ""))


if __name__ == "__main__":
    main()
