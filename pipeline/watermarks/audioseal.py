"""The watermark ``audioseal`` (San Roman et al., arXiv:2401.17264): its table, its weights, what is missing. No torch.

The weights (MIT) are pinned and installed like those of engines, converted once: safetensors, and no pickle after that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import MachineError, UsageError
from pipeline.generators.model_store import FolderStore, StoredModel
from pipeline.generators.protocol import InstalledModel, ModelList
from pipeline.watermarks.protocol import Watermarker

REPOSITORY = "facebook/audioseal"
REVISION = "199c1793b46a37b682fb3367b8b2dcb443de9d72"
LICENSE = "MIT"
GENERATOR, DETECTOR = "generator_base.pth", "detector_base.pth"
FETCH = "cuesmith models fetch --engine audioseal"
STORE: FolderStore[dict[str, Any]] = FolderStore(dict, dict, FETCH, {REPOSITORY: REVISION}.get, "audioseal")
_PACKAGES = ("audioseal", "omegaconf", "safetensors", "torch")
_NOT_INSTALLED = (
    "watermark 'audioseal' needs {}, which is not installed; install it: pip install 'cuesmith[watermark]'"
)


class AudioSealWatermark:
    """AudioSeal's 16-bit model at 16 kHz. Also the store of its weights."""

    name = "audioseal"
    version = f"1 {REVISION[:12]}"
    model = REPOSITORY
    revision = REVISION
    license = LICENSE
    seconds_a_second = 0.13

    def missing(self) -> Iterable[str]:
        """Packages and weights that are not on this machine."""
        yield from (_NOT_INSTALLED.format(name) for name in _PACKAGES if find_spec(name) is None)
        try:
            STORE.require(REPOSITORY, REVISION)
        except MachineError as error:
            yield str(error)

    def open(self) -> Watermarker:
        """Import torch and AudioSeal; each network is loaded on the CPU when it is needed."""
        for lack in self.missing():
            raise MachineError(lack)
        module = importlib.import_module("pipeline.watermarks.audioseal_model")
        opened: Watermarker = module.AudioSealWatermarker(STORE.model_folder(REPOSITORY, REVISION))
        return opened

    def models_folder(self) -> Path:
        """See `ModelStore.models_folder`."""
        return STORE.root()

    def list_models(self) -> ModelList:
        """See `ModelStore.list_models`."""
        stored, faults = STORE.all_stored()
        installed = any(model.revision == REVISION for model in stored)
        row = {"id": REPOSITORY, "revision": REVISION, "license": LICENSE, "installed": installed}
        state = "installed" if installed else "not installed"
        line = f"{REPOSITORY}  {LICENSE}  {REVISION[:12]}  {state}"
        return ModelList([line], {"models": [row]}, [str(fault) for fault in faults])

    def fetch_model(self, name: str, progress: Callable[[str], None]) -> Sequence[InstalledModel]:
        """See `ModelStore.fetch_model`."""
        if name not in (REPOSITORY, self.name):
            raise UsageError(f"unknown model {name!r} of watermark audioseal; available: {REPOSITORY}")
        for package in ("huggingface_hub", *_PACKAGES):
            if find_spec(package) is None:
                raise MachineError(_NOT_INSTALLED.format(package))
        hub = importlib.import_module("pipeline.generators.hub")

        def bring(folder: Path) -> StoredModel[Any]:
            remote = hub.list_files(REPOSITORY, REVISION)
            for file in {GENERATOR, DETECTOR} - set(remote):
                raise MachineError(f"{REPOSITORY} at {REVISION[:12]} has no {file}; report this as a bug")
            files = [remote[GENERATOR], remote[DETECTOR]]
            hub.download(folder, REPOSITORY, REVISION, files, progress)
            progress(f"{REPOSITORY}: converting")
            model = importlib.import_module("pipeline.watermarks.audioseal_model")
            stored: StoredModel[Any] = model.convert(folder)
            return stored

        return [hub.fetch(STORE, REPOSITORY, REVISION, progress, bring).installed()]

    def verify_models(self, names: Collection[str] = ()) -> tuple[Sequence[InstalledModel], Sequence[str]]:
        """See `ModelStore.verify_models`."""
        return STORE.verify_all(set(names))


WATERMARK = AudioSealWatermark()
