"""Every file of a build holds its master to the sample, for every reader: ffmpeg, libsndfile, sox and mutagen.

The programs come with `make tools` on Debian; what is not installed is not asked.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import mutagen
import pytest
import soundfile
from quick import QuickProject

from pipeline.audio import read
from pipeline.audio.decoders import find_ffmpeg
from pipeline.delivery import codecs

ASSETS = """\
  - {id: once, kind: sfx, prompt: a door, duration: 0.4s}
  - {id: once/exact, kind: sfx, prompt: a wooden door, duration: 0.7301s, exact: true}
  - {id: short/exact, kind: sfx, prompt: a click, duration: 0.03s, exact: true}
  - {id: loop, kind: sfx, prompt: rain, duration: 1.3s, loop: true}
  - {id: loop/exact, kind: sfx, prompt: wind, duration: 1.1003s, loop: true, exact: true}
  - {id: intro, kind: music, prompt: calm harp, duration: 3.1s, loop: {intro: 0.7s}}
  - {id: intro/exact, kind: music, prompt: drums, duration: 3s, loop: {intro: 0.5s}, exact: true}
  - {id: bars/exact, kind: music, prompt: bells, bpm: 92, duration: 7.8261s, loop: {intro: 1 bar}, exact: true}
"""
EXACT_S = {
    "once/exact": 0.7301,
    "short/exact": 0.03,
    "loop/exact": 1.1003,
    "intro/exact": 3.0,
    "bars/exact": 7.8261,
}
RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
QUICK = [48_000]
OPUS_RATES = (8_000, 16_000, 24_000, 48_000)
OPUS_RATE = 48_000
HIGHEST_MP3_RATE = 48_000
AAC_FRAME = 1024
"""Samples: ffmpeg plays the last frame of an m4a to its end, whatever its edit list says."""
HAS_M4A = codecs.AudioSegment is not None and find_ffmpeg() is not None


def formats(rate: int) -> list[str]:
    found = ["wav", "flac", "ogg"]
    found += ["opus"] if rate in OPUS_RATES else []
    found += ["mp3"] if rate <= HIGHEST_MP3_RATE else []
    return found + (["m4a"] if HAS_M4A else [])


def head(rate: int) -> str:
    settings = f"sample_rate: {rate}, formats: [{', '.join(formats(rate))}], quality: {{gate: false}}"
    return (
        "cuesmith: 1\nproject: lengths\ndefaults:\n"
        f"  sfx: {{engine: sketch, {settings}}}\n  music: {{engine: sketch, {settings}}}\nassets:\n"
    )


def by_ffmpeg(path: Path) -> int:
    channels = soundfile.info(path.with_suffix(".wav")).channels
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "s16le", "-"]
    return len(subprocess.run(command, capture_output=True, check=True).stdout) // (2 * channels)


def by_sox(path: Path) -> int:
    channels = soundfile.info(path.with_suffix(".wav")).channels
    command = ["sox", str(path), "-t", "s16", "-"]
    return len(subprocess.run(command, capture_output=True, check=True).stdout) // (2 * channels)


def by_libsndfile(path: Path) -> int:
    return read(path).length


def by_mutagen(path: Path) -> int:
    info = mutagen.File(path).info
    return round(info.length * (OPUS_RATE if path.suffix == ".opus" else info.sample_rate))


READERS: dict[str, tuple[Callable[[Path], int], set[str]]] = {
    "ffmpeg": (by_ffmpeg, {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a"}),
    "libsndfile": (by_libsndfile, {".wav", ".flac", ".ogg", ".opus", ".mp3"}),
    "sox": (by_sox, {".wav", ".flac", ".ogg"}),
    "mutagen": (by_mutagen, {".wav", ".flac", ".ogg", ".opus"}),
}
"""How many samples each says that a file has, and the formats in which it can tell to the sample."""


def wrong_lengths(folder: Path, master: Path, samples: int, rate: int) -> Iterator[str]:
    for path in sorted(folder.glob(f"{master.stem}.*")):
        expected = round(samples * OPUS_RATE / rate) if path.suffix == ".opus" else samples
        for name, (length, suffixes) in READERS.items():
            if path.suffix in suffixes and (name not in ("ffmpeg", "sox") or shutil.which(name)):
                found = length(path)
                if path.suffix == ".m4a" and found < expected + AAC_FRAME:
                    found = min(found, expected)
                if found != expected:
                    yield f"{path.name}: {name} reads {found} samples, not {expected}"


@pytest.mark.parametrize(
    "rate", [rate if rate in QUICK else pytest.param(rate, marks=pytest.mark.slow) for rate in RATES]
)
def test_every_file_of_a_build_is_as_long_as_its_master(rate: int, tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(ASSETS, head(rate))
    assert not project.build()["failed"]
    rows = project.latest.masters
    assert len(rows) == ASSETS.count("\n")
    library = project.outputs / "library" / "latest"
    wrong = []
    for row in rows:
        assert len(row["files"]) == len(formats(rate))
        master = library / next(path for path in row["files"] if path.endswith(".wav"))
        samples = soundfile.info(master).frames
        assert row["seconds"] == pytest.approx(samples / rate, abs=1e-6)
        if row["asset"] in EXACT_S:
            assert samples == round(EXACT_S[row["asset"]] * rate)
        if row["loop"]:
            assert row["loop"][1] == samples
        wrong += wrong_lengths(master.parent, master, samples, rate)
    assert not wrong, "\n".join(wrong)
