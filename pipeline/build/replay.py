"""Replay: generate takes again from their records and compare the bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipeline.audio import Clip, read_sound, take_bytes
from pipeline.catalog import Catalog
from pipeline.errors import GenerationError, UsageError
from pipeline.generators import Generator, find_engine
from pipeline.provenance import MasterRow, TakeRecord, take_record
from pipeline.provenance.facts import software_versions
from pipeline.recipe import Recipe
from pipeline.store import ObjectRef, Store


def replay_latest(store: Store, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Replay the take of every master in the latest version; return one object for each.

    ``result`` is ``same``, ``different``, or ``not comparable`` where this machine's engine, software or device
    kind is not the one that made the take; ``why`` says which.
    """
    latest = Catalog(store).latest()
    if latest is None:
        raise UsageError(f"no catalog in {store.root} to replay; create one: cuesmith build")
    return list(_replay(store, latest.masters, tell))


def _replay(
    store: Store, rows: tuple[MasterRow, ...], tell: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    opened: dict[tuple[str, str], Generator] = {}
    for number, row in enumerate(rows, 1):
        record = take_record(store, row["take"])
        result, why = (
            ("different", "its record is gone") if record is None else _compare(store, record, opened)
        )
        if number % 20 == 0:
            tell(f"replayed {number} of {len(rows)}")
        yield {
            "asset": row["asset"],
            "variation": row["variation"],
            "take": row["take"],
            "result": result,
            "why": why,
        }


def _compare(store: Store, record: TakeRecord, opened: dict[tuple[str, str], Generator]) -> tuple[str, str]:
    recipe = Recipe.from_json(record["recipe"])
    engine = find_engine(recipe.engine)
    if engine.version != recipe.engine_version:
        return "not comparable", f"engine version {engine.version} here, {recipe.engine_version} then"
    device = record["made"]["device"]
    key = (recipe.engine, device)
    if key not in opened:
        opened[key] = engine.open(device)
    clip = _generate(opened[key], recipe, _inputs(store, record))
    if isinstance(clip, Clip) and ObjectRef.of(take_bytes(clip), ".wav").sha256 == record["object"]["sha256"]:
        return "same", ""
    here, then = software_versions(opened[key].software()), record["made"]["software"]
    others = [
        f"{name} {here.get(name, 'not named')} here, {then.get(name, 'not named')} then"
        for name in sorted(here.keys() | then.keys())
        if here.get(name) != then.get(name)
    ]
    if others:
        return "not comparable", "; ".join(others)
    return "different", clip if isinstance(clip, str) else "other samples"


def _generate(generator: Generator, recipe: Recipe, audio: dict[str, Clip]) -> Clip | str:
    for _, outcome in generator.generate([recipe], audio):
        return str(outcome) if isinstance(outcome, GenerationError) else outcome.clip
    return "the engine gave nothing"


def _inputs(store: Store, record: TakeRecord) -> dict[str, Clip]:
    return {
        item["sha256"]: read_sound(store.get(ObjectRef.from_json(item))).clip for item in record["inputs"]
    }
