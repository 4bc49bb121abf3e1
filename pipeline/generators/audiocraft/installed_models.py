"""What `cuesmith models` and `cuesmith doctor` show of the engine. Light: imports torch only to check."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from pipeline.generators.audiocraft.model_store import STORE, StoredModel
from pipeline.generators.audiocraft.models import BY_ID, LICENSE, MBD, PUBLISHED, Model
from pipeline.generators.protocol import Diagnostic, ModelList


class AudioCraftModels:
    """The lists of `ModelStore` and `Diagnostics`."""

    def list_models(self) -> ModelList:
        """See `ModelStore.list_models`."""
        stored, faults = STORE.all_stored()
        by_name = {model.id: model for model in stored}
        rows = [_row(model, by_name.get(model.id)) for model in PUBLISHED]
        rows += [_row(local.model, local) for local in stored if local.model and local.id not in BY_ID]
        decoder = _decoder_row(by_name.get(MBD))
        where = f"{LICENSE}  {_revision(decoder)}  {_state(decoder)}"
        decoder_line = f"{MBD:<40} decodes mono MusicGen (decoder: mbd)  {where}"
        return ModelList(
            lines=[*map(_line, rows), decoder_line],
            report={"models": rows, "decoders": [decoder]},
            problems=[str(fault) for fault in faults],
        )

    def diagnostics(self) -> Iterable[Diagnostic]:
        """See `Diagnostics.diagnostics`. Imports torch and AudioCraft if they are installed."""
        try:
            probe = importlib.import_module("pipeline.generators.audiocraft.probe")
        except (ImportError, OSError) as error:
            if isinstance(error, ModuleNotFoundError) and error.name == "torch":
                fix = (
                    "to generate with models, run: make setup-audiocraft (the sketch engine works without it)"
                )
                return [Diagnostic("audiocraft", "not installed", fix)]
            return [Diagnostic("audiocraft", f"cannot be imported: {error}", "run: make setup-audiocraft")]
        lines: list[Diagnostic] = probe.diagnostics()
        return lines


def _row(model: Model, stored: StoredModel | None) -> dict[str, Any]:
    return {
        "id": model.id,
        "kind": model.kind,
        "family": model.family,
        "sample_rate_hz": model.sample_rate_hz,
        "channels": model.channels,
        "window_s": model.window_s,
        "hears": sorted(model.hears),
        "decoders": list(model.decoders),
        "license": model.license,
        "commercial": model.commercial,
        "revision": stored.revision if stored else STORE.commit_of(model.id),
        "here": stored is not None,
        "bytes": stored.size if stored else None,
        "missing": model.missing,
    }


def _decoder_row(stored: StoredModel | None) -> dict[str, Any]:
    return {
        "id": MBD,
        "decodes": [model.id for model in PUBLISHED if "mbd" in model.decoders],
        "license": LICENSE,
        "revision": stored.revision if stored else STORE.commit_of(MBD),
        "here": stored is not None,
        "bytes": stored.size if stored else None,
    }


def _line(row: dict[str, Any]) -> str:
    state = "cannot run" if row["missing"] else _state(row)
    channels = "stereo" if row["channels"] == 2 else "mono"
    inputs = ", ".join(["text", *row["hears"]])
    return (
        f"{row['id']:<40} {row['kind']:<5} {row['window_s']:>3g} s  {row['sample_rate_hz'] / 1000:g} kHz "
        f"{channels:<6}  {row['license']}  {_revision(row)}  {state}  ({inputs})"
    )


def _state(row: dict[str, Any]) -> str:
    return f"installed, {row['bytes'] / 1e9:.2f} GB" if row["here"] else "not installed"


def _revision(row: dict[str, Any]) -> str:
    return f"{(row['revision'] or 'pinned when fetched')[:19]:<19}"
