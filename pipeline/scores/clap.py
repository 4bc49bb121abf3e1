"""The score ``clap``: how well a take fits its prompt, by `laion/clap-htsat-unfused` through transformers.

The weights (Apache-2.0) are pinned and installed like those of engines: ``<models>/clap/<commit>/`` has the files of
the repository and ``model.json`` with the SHA-256 of each. Light: no torch before `ClapScore.open`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from pipeline.errors import MachineError, UsageError, VerificationError
from pipeline.generators.protocol import InstalledModel, ModelList
from pipeline.scores.protocol import Scorer
from pipeline.store.disk import write_atomically

REPOSITORY = "laion/clap-htsat-unfused"
REVISION = "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a"
LICENSE = "Apache-2.0"
FILES = (
    "config.json",
    "merges.txt",
    "model.safetensors",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
"""Files of the repository that are used: no pickle and no code."""
_SCHEMA = "cuesmith.score-model/1"
_NOT_INSTALLED = "score 'clap' needs {}, which is not installed; install it: pip install 'cuesmith[clap]'"
_FETCH = f"run: cuesmith models fetch {REPOSITORY} --engine clap"


class ClapScore:
    """Cosine similarity of a take and its prompt, from -1 to 1. Also the store of its weights."""

    name = "clap"
    version = f"1 {REVISION[:12]}"

    def models_folder(self) -> Path:
        """The folder of the weights."""
        root = os.environ.get("CUESMITH_MODELS")
        return (Path(root) if root else user_cache_path("cuesmith", appauthor=False) / "models") / "clap"

    def missing(self) -> Iterable[str]:
        """Packages and weights that are not on this machine."""
        lacks = [_NOT_INSTALLED.format(name) for name in ("torch", "transformers") if find_spec(name) is None]
        if not (self._folder / "model.json").is_file():
            lacks.append(f"the weights of {REPOSITORY} ({REVISION[:19]}) are not installed; {_FETCH}")
        return lacks

    def open(self) -> Scorer:
        """Load the model on the CPU."""
        for lack in self.missing():
            raise MachineError(lack)
        scorer: Scorer = importlib.import_module("pipeline.scores.clap_model").ClapScorer(self._folder)
        return scorer

    def list_models(self) -> ModelList:
        """The one model."""
        installed = (self._folder / "model.json").is_file()
        row = {"id": REPOSITORY, "revision": REVISION, "license": LICENSE, "installed": installed}
        state = "installed" if installed else "not installed"
        return ModelList([f"{REPOSITORY}  {LICENSE}  {REVISION[:12]}  {state}"], {"models": [row]}, ())

    def fetch_model(self, name: str, progress: Callable[[str], None]) -> Sequence[InstalledModel]:
        """Download the weights at their commit, or verify them if they are installed."""
        if name not in (REPOSITORY, self.name):
            raise UsageError(f"unknown model {name!r} of score clap; available: {REPOSITORY}")
        if not (self._folder / "model.json").is_file():
            self._download(progress)
        checked, problems = self.verify_models()
        faults = [*(model.fault for model in checked if model.fault), *problems]
        if faults:
            raise VerificationError("; ".join(faults))
        return checked

    def verify_models(self, names: Collection[str] = ()) -> tuple[Sequence[InstalledModel], Sequence[str]]:
        """Hash every file again."""
        unknown = sorted(set(names) - {REPOSITORY})
        if unknown:
            raise UsageError(f"{unknown[0]} is not installed; {_FETCH}")
        record = self._folder / "model.json"
        if not record.is_file():
            return (), ()
        try:
            files: dict[str, str] = json.loads(record.read_text(encoding="utf-8"))["files"]
        except (ValueError, KeyError, TypeError):
            return (), (f"{record}: not a readable record; remove {self._folder}, then {_FETCH}",)
        bad = next((name for name, sha256 in files.items() if _sha256(self._folder / name) != sha256), None)
        fault = bad and f"{self._folder / bad}: changed or missing; remove {self._folder}, then {_FETCH}"
        size = sum((self._folder / name).stat().st_size for name in files if (self._folder / name).is_file())
        model = InstalledModel(REPOSITORY, REVISION, self._folder, size, files, files, fault)
        return (model,), ()

    @property
    def _folder(self) -> Path:
        return self.models_folder() / REVISION

    def _download(self, progress: Callable[[str], None]) -> None:
        """Download into the folder; its record is written last, and so marks it as complete."""
        if find_spec("huggingface_hub") is None:
            raise MachineError(_NOT_INSTALLED.format("huggingface-hub"))
        hub = importlib.import_module("huggingface_hub")
        files: dict[str, str] = {}
        try:
            api: Any = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
            info = api.model_info(REPOSITORY, revision=REVISION, files_metadata=True)
            remote = {file.rfilename: file for file in info.siblings or ()}
            for name in (name for name in FILES if name in remote):
                progress(f"{REPOSITORY}: {name}, {(remote[name].size or 0) / 1e9:.2f} GB")
                path = Path(api.hf_hub_download(REPOSITORY, name, revision=REVISION, local_dir=self._folder))
                files[name] = _sha256(path)
                expected = remote[name].lfs.sha256 if remote[name].lfs else files[name]
                if files[name] != expected:
                    path.unlink()
                    raise MachineError(f"{path}: SHA-256 is not {expected}; the file was removed: {_FETCH}")
        except MachineError:
            raise
        except Exception as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise MachineError(
                f"{REPOSITORY}: cannot be fetched: {reason}; check the network and the disk space, then {_FETCH}"
            ) from error
        if "model.safetensors" not in files:
            raise MachineError(
                f"{REPOSITORY} at {REVISION[:12]} has no model.safetensors; report this as a bug"
            )
        record = {"schema": _SCHEMA, "name": REPOSITORY, "revision": REVISION, "files": files}
        write_atomically(self._folder / "model.json", json.dumps(record, indent=1).encode())


def _sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; empty if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


SCORE = ClapScore()
