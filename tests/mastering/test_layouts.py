"""Loudness of every layout up to 7.1 in every format, beside ffmpeg's ebur128."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio import Clip, read_sound
from pipeline.mastering.measure import measure

FFMPEG = shutil.which("ffmpeg")
pytestmark = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")
RATE = 48_000
SECONDS = 1
LAYOUTS = {
    "mono": "FC",
    "stereo": "FL FR",
    "2.1": "FL FR LFE",
    "3.0": "FL FR FC",
    "3.0(back)": "FL FR BC",
    "4.0": "FL FR FC BC",
    "quad": "FL FR BL BR",
    "quad(side)": "FL FR SL SR",
    "3.1": "FL FR FC LFE",
    "5.0": "FL FR FC BL BR",
    "5.0(side)": "FL FR FC SL SR",
    "4.1": "FL FR FC LFE BC",
    "5.1": "FL FR FC LFE BL BR",
    "5.1(side)": "FL FR FC LFE SL SR",
    "6.0": "FL FR FC BC SL SR",
    "6.0(front)": "FL FR FLC FRC SL SR",
    "hexagonal": "FL FR FC BL BR BC",
    "6.1": "FL FR FC LFE BC SL SR",
    "6.1(back)": "FL FR FC LFE BL BR BC",
    "6.1(front)": "FL FR LFE FLC FRC SL SR",
    "7.0": "FL FR FC BL BR SL SR",
    "7.0(front)": "FL FR FC FLC FRC SL SR",
    "7.1": "FL FR FC LFE BL BR SL SR",
    "7.1(wide)": "FL FR FC LFE BL BR FLC FRC",
    "7.1(wide-side)": "FL FR FC LFE FLC FRC SL SR",
    "octagonal": "FL FR FC BL BR BC SL SR",
}
EVERY = tuple(LAYOUTS)
OPUS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""Layouts that Opus has."""
AAC = (*OPUS[:6], "7.1", "2.1", "3.0(back)", "4.0", "quad(side)", "6.0(front)")
"""Layouts that ffmpeg's own meter reads in AAC."""
QUICK = ("4.0", "5.1", "7.1")
FORMATS = {
    "wav": ([], EVERY),
    "w64": ([], EVERY),
    "flac": ([], EVERY),
    "aiff": ([], EVERY),
    "caf": ([], EVERY),
    "ogg": (["-c:a", "libvorbis", "-q:a", "8"], EVERY),
    "opus": (["-c:a", "libopus", "-b:a", "192k"], OPUS),
    "m4a": (["-c:a", "aac", "-b:a", "512k"], AAC),
}


def sound(speakers: list[str]) -> np.ndarray:
    """Noise alike in every channel, and a loud LFE: a wrong weight moves the loudness by 0.2 LU or more."""
    samples = 0.03 * np.random.default_rng(5).standard_normal((SECONDS * RATE, len(speakers)))
    if "LFE" in speakers:
        samples[:, speakers.index("LFE")] = 0.3 * np.sin(2 * np.pi * 60 * np.arange(len(samples)) / RATE)
    return samples


def ebur128(path: Path) -> float:
    """Integrated loudness by ffmpeg."""
    command = [str(FFMPEG), "-nostdin", "-hide_banner", "-i", str(path), "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])


def check(path: Path) -> None:
    sound = read_sound(path)
    assert sound.problem is None
    assert measure(sound.clip).integrated_lufs == pytest.approx(ebur128(path), abs=0.1)


def marks(quick: bool) -> list[pytest.MarkDecorator]:
    """Each case starts ffmpeg twice, so the default suite takes only some."""
    return [] if quick else [pytest.mark.slow]


@pytest.mark.parametrize(
    ("suffix", "layout"),
    [
        pytest.param(
            suffix, layout, marks=marks(layout in (*QUICK, "2.1") if suffix == "wav" else layout in QUICK)
        )
        for suffix, (_, layouts) in FORMATS.items()
        for layout in layouts
    ],
)
def test_every_layout_that_ffmpeg_writes_measures_as_its_meter_does(
    suffix: str, layout: str, tmp_path: Path
) -> None:
    speakers = LAYOUTS[layout].split()
    path = tmp_path / f"sound.{suffix}"
    source = [
        "-f",
        "f32le",
        "-ar",
        str(RATE),
        "-ac",
        str(len(speakers)),
        "-channel_layout",
        layout,
        "-i",
        "pipe:0",
    ]
    command = [str(FFMPEG), "-v", "error", *source, *FORMATS[suffix][0], str(path)]
    subprocess.run(command, input=sound(speakers).astype("<f4").tobytes(), check=True)
    check(path)


@pytest.mark.parametrize(
    ("container", "coding", "channels"),
    [
        pytest.param(*written, channels, marks=marks(channels in (3, 6) and written[0] in ("WAV", "OGG")))
        for channels in range(1, 9)
        for written in (
            ("WAV", "PCM_16"),
            ("WAV", "ULAW"),
            ("WAVEX", "PCM_24"),
            ("RF64", "PCM_16"),
            ("W64", "PCM_16"),
            ("FLAC", "PCM_16"),
            ("AIFF", "PCM_16"),
            ("CAF", "PCM_16"),
            ("AU", "PCM_16"),
            ("OGG", "VORBIS"),
            ("OGG", "OPUS"),
        )
    ],
)
def test_every_channel_count_that_libsndfile_writes_measures_as_in_ffmpeg(
    container: str, coding: str, channels: int, tmp_path: Path
) -> None:
    samples = 0.03 * np.random.default_rng(6).standard_normal((SECONDS * RATE, channels))
    samples[:, -1] *= 2
    path = tmp_path / "sound"
    soundfile.write(path, samples, RATE, format=container, subtype=coding)
    check(path)


def test_an_lfe_that_the_mask_names_is_not_heard() -> None:
    time = np.arange(5 * RATE) / RATE
    tone = np.sin(2 * np.pi * 997 * time)
    samples = np.stack([0.1 * tone, 0.1 * tone, 10**-0.5 * tone]).astype(np.float32)
    assert measure(Clip(samples, RATE, 0xB)).integrated_lufs == pytest.approx(-20.0, abs=0.1)
