"""The stand-ins: what AudioCraft calls of packages that need not be installed, and what happens when they are."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import import_shims
from pipeline.generators.audiocraft.audiocraft_modules import conditioners


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Another process, where xformers is installed and torchaudio is there and cannot load."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "torchaudio.py").write_text("raise OSError('libc10_cuda.so: cannot open shared object file')\n")
    (folder / "xformers").mkdir()
    (folder / "xformers" / "__init__.py").write_text("")
    (folder / "xformers" / "ops.py").write_text(
        "import torch\nREAL = True\ndef unbind(x, dim): return torch.unbind(x, dim)\n"
    )
    code = (
        f"import sys, json; sys.path.insert(0, {str(folder)!r})\n"
        "from pipeline.generators.audiocraft import import_shims; import_shims.import_audiocraft()\n"
        "left = sorted(n for n, m in sys.modules.items() if isinstance(m, import_shims._StandIn))\n"
        "finders = sum(isinstance(f, import_shims._Finder) for f in sys.meta_path)\n"
        "from audiocraft.modules import transformer\n"
        "real = getattr(transformer.ops, 'REAL', False) is True\n"
        "missing = import_shims.missing_packages()\n"
        "print(json.dumps({'left': left, 'finders': finders, 'real': real, 'missing': missing}))"
    )
    facts: dict[str, Any] = json.loads(_python(code))
    return facts


def test_audiocraft_is_the_released_one_unchanged() -> None:
    package = distribution("audiocraft")
    assert package.version == import_shims.AUDIOCRAFT_VERSION
    checked = 0
    for file in package.files or ():
        if file.suffix == ".py" and file.hash is not None:
            digest = hashlib.new(file.hash.mode, Path(str(file.locate())).read_bytes()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value, file
            checked += 1
    assert checked > 80


def test_nothing_stood_in_for_is_left_where_others_would_import_it(elsewhere: dict[str, Any]) -> None:
    assert {name.partition(".")[0] for name in elsewhere["left"]} <= {"xformers", "demucs"}
    assert elsewhere["finders"] == 0


def test_a_package_that_is_installed_is_used(elsewhere: dict[str, Any]) -> None:
    assert elsewhere["real"]
    assert "xformers" not in elsewhere["missing"]


def test_a_package_that_is_there_and_cannot_load_is_stood_in_for(elsewhere: dict[str, Any]) -> None:
    assert "torchaudio" in elsewhere["missing"]


def test_what_is_not_stood_in_for_says_which_package_to_install() -> None:
    if "spacy" not in import_shims.missing_packages():
        pytest.skip("spacy is installed")
    with pytest.raises(MachineError, match="spacy is not installed; run: pip install spacy"):
        conditioners.LUTConditioner(8, 4, 4, "whitespace")


def test_attention_is_softmax_of_scaled_products_with_its_bias() -> None:
    torch.manual_seed(1)
    q, k, v = (torch.randn(2, 6, 3, 4) for _ in range(3))
    bias = torch.randn(2, 3, 6, 6)
    weights = torch.softmax(torch.einsum("bqhd,bkhd->bhqk", q, k) / 2 + bias, -1)
    expected = torch.einsum("bhqk,bkhd->bqhd", weights, v)
    torch.testing.assert_close(import_shims.memory_efficient_attention(q, k, v, bias), expected)
    causal = import_shims.memory_efficient_attention(q, k, v, import_shims.LowerTriangularMask())
    torch.testing.assert_close(causal[:, 0], v[:, 0])


def test_the_spectrogram_is_torchaudios() -> None:
    """Power of a Hann-windowed Fourier transform over centred, reflected frames, by the window's energy."""
    samples = np.random.default_rng(0).standard_normal(4000)
    spec = import_shims.Spectrogram(512, 512, 128, 2, True, 0, True)
    found = spec(torch.from_numpy(samples).float()[None, None]).numpy()[0, 0]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    padded = np.pad(samples, 256, mode="reflect")
    frames = np.stack([padded[start : start + 512] * window for start in range(0, 4001, 128)])
    expected = np.abs(np.fft.rfft(frames).T) ** 2 / (window**2).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert set(spec.state_dict()) == {"window"}


LIBROSA_0_11 = {
    1: [
        0.018246,
        0.017605,
        0.016522,
        0.01508,
        0.013387,
        0.011559,
        0.012618,
        0.014382,
        0.015945,
        0.017193,
        0.018031,
        0.018392,
    ],
    7: [
        0.011608,
        0.000785,
        2.5e-05,
        1e-06,
        5.3e-05,
        0.001417,
        0.018078,
        0.109081,
        0.311369,
        0.420475,
        0.268623,
        0.081187,
    ],
    28: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.000721, 0.196092, 0.976523, 0.089069, 0.000149],
    100: [0.0, 0.0, 0.0, 0.0, 0.0, 0.000352, 0.111313, 0.645371, 0.068532, 0.000133, 0.0, 0.0],
    512: [0.033851, 0.000197, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7e-06, 0.006155, 0.106653],
}
"""Columns of ``librosa.filters.chroma(sr=32000, n_fft=1024, tuning=0, n_chroma=12)``."""


def test_the_chroma_filters_are_librosas() -> None:
    found = import_shims.chroma(sr=32_000, n_fft=1024, tuning=0, n_chroma=12)
    assert found.shape == (12, 513)
    for column, values in LIBROSA_0_11.items():
        np.testing.assert_allclose(found[:, column], values, atol=1e-6)


def test_the_melody_of_a_tone_is_its_pitch_class() -> None:
    seconds = torch.arange(32_000) / 32_000
    for pitch_class, hertz in ((9, 440.0), (0, 523.25), (4, 329.63)):
        chroma = conditioners.ChromaExtractor(32_000, radix2_exp=14, argmax=True)(
            torch.sin(2 * torch.pi * hertz * seconds)[None]
        )
        assert int(chroma[0].mean(0).argmax()) == pitch_class


def test_without_torch_the_engine_says_how_to_install_it() -> None:
    code = (
        "import importlib.util as u; real = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'torch' else real(name, *a);"
        "from pipeline.generators import find_engine\n"
        "try: find_engine('audiocraft').open('cpu')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert (
        "MachineError engine audiocraft is not installed (no torch); run: make setup-audiocraft"
        in _python(code)
    )
