"""What the mastering tests share: ffmpeg's meter as a second opinion."""

import re
import shutil
import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.audio import Clip, wav_bytes


@pytest.fixture
def ffmpeg_meter(tmp_path) -> Callable[[Clip], dict[str, float]]:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed")

    def meter(clip: Clip) -> dict[str, float]:
        path = tmp_path / "sound.wav"
        path.write_bytes(wav_bytes(clip, "float"))
        filters = "ebur128=peak=true:metadata=1,ametadata=print:file=-"
        command = [program, "-v", "error", "-i", str(path), "-af", filters, "-f", "null", "-"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found: dict[str, list[float]] = {}
        for name, value in re.findall(r"lavfi\.r128\.(\w+)=(\S+)", text):
            found.setdefault(name, []).append(float(value))
        peaks = [max(values) for name, values in found.items() if name.startswith("true_peaks_ch")]
        peak = max(peaks) if peaks else 0.0
        return {
            "integrated": found["I"][-1],
            "range": found["LRA"][-1],
            "momentary_max": max(found["M"]),
            "true_peak": 20 * np.log10(peak) if peak > 0 else -np.inf,
        }

    return meter
