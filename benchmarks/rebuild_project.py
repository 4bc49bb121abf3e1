"""A project of any size whose build is already done: a manifest, and a store that holds all it asks for.

Nothing is generated: records, catalog version and library go through the real plan, catalog and publishing code,
and stand over objects of a few bytes. Only flushing to the disk is left out, which would take hours.
"""

from __future__ import annotations

import io
import shutil
import wave
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.build.lock import build_lock
from pipeline.build.prepare import BuildRequest, Prepared, prepare
from pipeline.build.publish import publish_version
from pipeline.plan import AssetPlan, VariationPlan, group_digest
from pipeline.plan.digests import CHAIN_VERSION
from pipeline.provenance import MASTER_SCHEMA, TAKE_SCHEMA
from pipeline.provenance.records import MadeFacts, RenditionJson, disclosure, model_facts
from pipeline.recipe import Recipe
from pipeline.store import LocalBackend, Store

VARIATIONS = 4
_RATE_HZ = 48_000
_MADE = MadeFacts(
    at="2026-01-01T00:00:00.000+00:00",
    seconds=0.01,
    run="benchmark",
    prefect_run=None,
    device="cpu",
    software={"cuesmith": "0", "python": "3.11", "machine": "x86_64", "numpy": "2", "scipy": "1"},
)
_ASSET = """\
  - id: sfx/group{group:02d}/sound{number:05d}
    kind: sfx
    prompt: a single short sound number {number}, close and dry
    duration: 0.5s
    variations: {variations}
    tags: [bench, group{group:02d}]
"""


class HastyBackend(LocalBackend):
    """A folder written without flushing: good for a benchmark's state and for nothing else."""

    def write(self, key: str, data: bytes, *, read_only: bool = False) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def finish(manifest: Path, outputs: Path, profile: str | None = None) -> None:
    """Make ``outputs`` hold all that ``manifest`` asks for and nothing else, unless it holds all."""
    found = prepare(BuildRequest(manifest, str(outputs), profile))
    if found.latest is None or found.plan.stale:
        shutil.rmtree(outputs, ignore_errors=True)
        _fill(
            Store(HastyBackend(outputs), str(outputs)), prepare(BuildRequest(manifest, str(outputs), profile))
        )
        prepared = prepare(BuildRequest(manifest, str(outputs), profile))
        with build_lock(prepared.store, prepared.project.name, "benchmark") as fence:
            publish_version(prepared, run="benchmark", build={}, fence=fence)
        left = prepare(BuildRequest(manifest, str(outputs), profile)).plan.totals()["actions"]
        if left["generate"] or left["re-master"]:
            raise AssertionError(f"the benchmark's project is not finished: {left}")


def manifest_text(size: int) -> str:
    """A manifest of ``size`` variations, four to an asset, every asset written out."""
    assets = (
        _ASSET.format(number=number, group=number % 50, variations=VARIATIONS)
        for number in range(size // VARIATIONS)
    )
    return "cuesmith: 1\nproject: bench\nassets:\n" + "".join(assets)


def _fill(store: Store, prepared: Prepared) -> None:
    for plan in prepared.plan.assets:
        group = [recipe.digest for variation in plan.variations for recipe in variation.recipes]
        for variation in plan.variations:
            takes = [_take(store, plan, recipe) for recipe in variation.recipes]
            for take in takes:
                store.put_record("takes", take["digest"], take)
            store.put_record(
                "masters", variation.master, _master(store, prepared, plan, variation, takes, group)
            )


def _tiny_wav(digest: str) -> bytes:
    """A sound of 32 samples, which can be signed where a manifest asks for it."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(digest.encode())
    return data.getvalue()


def _take(store: Store, plan: AssetPlan, recipe: Recipe) -> dict[str, Any]:
    model = plan.requirements.model
    return {
        "schema": TAKE_SCHEMA,
        "digest": recipe.digest,
        "recipe": recipe.to_json(),
        "object": store.put(recipe.digest.encode(), ".flac").to_json(),
        "sample_rate_hz": model.sample_rate_hz,
        "channels": model.channels,
        "samples": round(recipe.seconds * model.sample_rate_hz),
        "loop": None,
        "attachments": {},
        "inputs": [],
        "notes": {},
        "ignored": list(plan.requirements.ignored),
        "model": model_facts(recipe.engine, model),
        "made": _MADE,
    }


def _master(
    store: Store,
    prepared: Prepared,
    plan: AssetPlan,
    variation: VariationPlan,
    takes: list[dict[str, Any]],
    group: list[str],
) -> dict[str, Any]:
    target = plan.asset.mastering.loudness_lufs
    return {
        "schema": MASTER_SCHEMA,
        "digest": variation.master,
        "asset": plan.asset.id,
        "variation": variation.variation,
        "kind": plan.asset.kind,
        "take": takes[0],
        "candidates": [
            {"take": take["digest"], "object": take["object"]["sha256"], "score": 1.0} for take in takes
        ],
        "group": group,
        "gain_group": group_digest([recipe.digest for recipe in each.recipes] for each in plan.variations),
        "chain_version": CHAIN_VERSION,
        "anchors": [],
        "mastering": {},
        "delivery": {},
        "chain": [],
        "loudness": {"method": "momentary", "target": target, "reached": target, "gain_db": 0.0},
        "measurements": {
            "duration_s": plan.asset.duration_s,
            "sample_rate_hz": _RATE_HZ,
            "channels": plan.asset.mastering.channels,
            "true_peak_dbtp": -1.0,
            "integrated_lufs": target,
        },
        "gates": asdict(plan.asset.quality),
        "quality": {"score": 1.0},
        "loop": None,
        "pcm_sha256": variation.master,
        "renditions": [
            RenditionJson(
                format="wav",
                object=store.put(_tiny_wav(variation.master), ".wav").to_json(),
                lowered_db=0.0,
                decoded_true_peak_dbtp=None,
            )
        ],
        "manifest": {
            "file": plan.asset.source.file,
            "line": plan.asset.source.line,
            "sha256": prepared.project.sha256,
            "project": prepared.project.name,
            "profile": None,
            "git": None,
        },
        "disclosure": disclosure(
            neural=plan.requirements.model.neural, engine=plan.asset.engine, model=plan.requirements.model.id
        ),
        "made": _MADE,
    }
