"""The score ``vocals``: the share of a take in which silero-vad hears speech. Its weights are in its package (MIT)."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipeline.errors import MachineError
from pipeline.scores.protocol import Scorer

if TYPE_CHECKING:
    from pipeline.audio import Clip

RATE_HZ = 16_000
"""The only rate that the model takes, besides 8 kHz."""
_PACKAGE = "silero-vad"
_NOT_INSTALLED = "score 'vocals' needs {}, which is not installed; install it: pip install 'cuesmith[vocals]'"


class VocalsScore:
    """How much of a take is speech or singing, from 0 (none) to 1."""

    name = "vocals"

    @property
    def version(self) -> str:
        """The package's version, whose weights decide."""
        try:
            return version(_PACKAGE)
        except PackageNotFoundError:
            return "not installed"

    def missing(self) -> Iterable[str]:
        """The package or torch."""
        modules = {"silero_vad": _PACKAGE, "torch": "torch"}
        return [_NOT_INSTALLED.format(name) for module, name in modules.items() if find_spec(module) is None]

    def open(self) -> Scorer:
        """Load the network (2 MB)."""
        for lack in self.missing():
            raise MachineError(lack)
        return _Detector()


class _Detector:
    def __init__(self) -> None:
        self._torch = importlib.import_module("torch")
        threads = self._torch.get_num_threads()
        self._silero = importlib.import_module("silero_vad")
        # Its import limits torch to one thread; the process may run an engine too.
        self._torch.set_num_threads(threads)
        self._model = self._silero.load_silero_vad()
        self._resample = importlib.import_module("pipeline.audio.rate").resample

    def score(self, clip: Clip, prompt: str) -> float:
        """The share of the mono mix that is speech; the prompt does not matter."""
        mono = self._resample(clip, RATE_HZ).samples.mean(axis=0)
        threads = self._torch.get_num_threads()
        # Its steps are too small to share.
        self._torch.set_num_threads(1)
        try:
            found = self._silero.get_speech_timestamps(
                self._torch.from_numpy(mono.copy()), self._model, sampling_rate=RATE_HZ
            )
        finally:
            self._torch.set_num_threads(threads)
        spoken = sum(part["end"] - part["start"] for part in found)
        return round(float(min(1.0, spoken / max(1, mono.size))), 4)


SCORE = VocalsScore()
