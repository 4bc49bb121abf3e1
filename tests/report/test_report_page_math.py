"""The page's own arithmetic in node, against that of the pipeline: spectrogram, K-weighting, true peak."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import freqz

from pipeline.audio import Clip
from pipeline.mastering.loudness import k_weighting
from pipeline.mastering.true_peak import true_peak
from pipeline.report.media import spectrogram

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

OTHERS = {
    "dom.js": "export const h = () => null; export const number = String;",
    "engine.js": "export const listenPoint = () => null;",
    "player.js": "export const player = {};",
    "pictures.js": "export const heatPicture = () => null;",
    "package.json": '{"type": "module"}',
}
"""What the modules import and the arithmetic does not use."""


def _run(folder: Path, module: str, script: str, value: Any) -> Any:
    """The result of ``script``, which has ``value`` and the exports of ``module`` as ``page``."""
    for name, text in OTHERS.items():
        (folder / name).write_text(text)
    source = files("pipeline.report").joinpath("page", module).read_text(encoding="utf-8")
    (folder / module).write_text(source)
    (folder / "value.json").write_text(json.dumps(value))
    (folder / "run.js").write_text(
        f"""import * as page from "./{module}";
        import {{ readFileSync }} from "node:fs";
        const value = JSON.parse(readFileSync("value.json"));
        console.log(JSON.stringify((() => {{ {script} }})()));"""
    )
    done = subprocess.run(
        [str(NODE), "run.js"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _sweep(rate: int) -> Clip:
    """A sweep from 60 Hz to 12 kHz, and noise on the other channel."""
    moments = np.arange(2 * rate) / rate
    sweep = np.sin(2 * np.pi * 60 * 2 / np.log(200) * (200 ** (moments / 2) - 1))
    noise = np.random.default_rng(1).normal(size=len(moments)) * np.linspace(0, 0.2, len(moments))
    return Clip(np.stack([0.5 * sweep, noise]).astype(np.float32), rate)


def test_a_sharp_spectrogram_of_a_whole_sound_is_the_stored_one(tmp_path: Path) -> None:
    clip = _sweep(48_000)
    script = """
    const wave = { rate: 48000, channels: value };
    return [...page.sharpSpectrum(wave, { from: 0, to: 2, top: 20000 }).shares];
    """
    sharp = np.array(_run(tmp_path, "spectrum.js", script, clip.samples.tolist())).reshape(72, 240)
    stored = spectrogram(clip) / 255
    middles = ((np.arange(240) + 0.5) / 240 * stored.shape[1]).astype(int)
    off = np.abs(sharp - stored[:, middles])
    assert np.median(off) < 0.03
    assert np.quantile(off, 0.95) < 0.12
    assert np.corrcoef(sharp.ravel(), stored[:, middles].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_k_weighting_is_that_of_the_loudness_measurement(rate: int, tmp_path: Path) -> None:
    found = _run(tmp_path, "meters.js", "return page.kWeighting(value);", rate)
    hertz = np.geomspace(20, 0.4 * rate, 50)
    response = np.prod([freqz(b, a, hertz, fs=rate)[1] for b, a in found], axis=0)
    wanted = np.prod([freqz(row[:3], row[3:], hertz, fs=rate)[1] for row in k_weighting(rate)], axis=0)
    assert 20 * np.log10(np.abs(response / wanted)) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("rate", [44_100, 48_000, 192_000])
def test_true_peak_is_that_of_the_catalog(rate: int, tmp_path: Path) -> None:
    clip = Clip(np.sin(np.pi / 4 + np.arange(400) * np.pi / 2).astype(np.float32)[np.newaxis], rate)
    around = np.pad(clip.samples[0], 12).tolist()
    script = f"return page.truePeak(value, page.interpolators({rate}));"
    found = _run(tmp_path, "meters.js", script, around)
    assert found == pytest.approx(true_peak(clip), rel=1e-5)
