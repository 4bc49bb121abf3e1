"""From an asset to what it requires of a model: the recipe's settings, or what the model cannot do and which can."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import MachineError
from pipeline.generators.diffusers import model_store
from pipeline.generators.diffusers.manifest_keys import DiffusersKeys, keys_of
from pipeline.generators.diffusers.models import BY_ID, DEFAULTS, PUBLISHED, Ability, Model, full_id, names
from pipeline.generators.model_store import StoreNotReady, looks_like_path
from pipeline.generators.protocol import RequirementProblem, Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Scalar

SHORTEST_LOOP_S = 2.0
"""A shorter loop leaves too little around its seam; mastering cuts it, as it does with other models."""
_WRAP_S = 0.5
"""Of sound after a loop's end, for mastering to fade into its start: its longest crossfade."""
_SEAM_S = 4.0
"""Longest part around a loop's seam that is generated again."""
_SEAM_SHARE = 0.25
"""The most of a loop that is generated again."""
_CONTEXT_SHARE = 0.25
"""Of the longest pass: how much earlier sound a further pass hears."""
_BEATS_A_BAR = 4
_UNUSED = frozenset({"sampling", "decoder"})
"""Settings of other engines that mean nothing to a diffusion model."""
_PLAIN: tuple[Ability, ...] = ("negative", "guidance", "key", "time_signature", "lyrics", "start_from")
"""Abilities with a key of the same name."""
_FILE_TASKS: tuple[tuple[str, Ability, str], ...] = (
    ("continue_from", "inpaint", "continue a sound"),
    ("repaint", "inpaint", "generate a part of a sound again"),
    ("extract", "tracks", "take a track out of music"),
    ("lego", "tracks", "make a track for music"),
    ("complete", "tracks", "complete music with further tracks"),
)
"""Keys with a file that need an ability of another name."""


@dataclass(frozen=True, slots=True)
class _Request:
    asset: AssetSpec
    keys: DiffusersKeys
    model: Model

    @property
    def made_loop(self) -> bool:
        """Whether the engine makes the loop itself, by inpainting its seam."""
        return self.cut_loop and self.model.can_inpaint and self.asset.duration_s >= SHORTEST_LOOP_S

    @property
    def cut_loop(self) -> bool:
        """Whether the take is a loop with nothing before it, whose end is not given by a file."""
        return self.asset.loop and not self.asset.mastering.intro_s and not self.keys.edits

    @property
    def seconds(self) -> float:
        """What is generated: whole bars of a loop with a tempo, or a loop's wrap where mastering cuts it."""
        asset = self.asset
        if self.made_loop:
            if asset.bpm is None or asset.mastering.exact:
                return asset.duration_s
            bar_s = _BEATS_A_BAR * 60.0 / asset.bpm
            least = max(1, math.ceil(self.model.shortest_s / bar_s))
            return round(max(least, round(asset.duration_s / bar_s)) * bar_s, 9)
        if self.cut_loop and not self.keys.extend:
            room = self.model.longest_s - asset.duration_s
            return round(asset.duration_s + (min(_WRAP_S, room) if room >= 0.0 else _WRAP_S), 6)
        return asset.duration_s


def requirements_of(asset: AssetSpec) -> Requirements:
    """What generating ``asset`` requires, with a problem for each thing that the model cannot do.

    Raises `StoreNotReady` if no local folder can be read on this machine.
    """
    try:
        model, revision = _find(asset)
    except StoreNotReady:
        raise
    except MachineError as error:
        nobody = BY_ID[DEFAULTS[asset.kind]]
        problem = RequirementProblem("model", str(error), f"or use a published model: {_suited(asset)}")
        return Requirements(nobody.info(None), asset.duration_s, problems=(problem,))
    request = _Request(asset, keys_of(asset), model)
    return Requirements(
        model=model.info(revision),
        seconds=request.seconds,
        settings=_settings(request),
        conditioning={role: audio.sha256 for role, audio in request.keys.inputs.items()},
        ignored=_ignored(request),
        problems=tuple(_problems(request)),
    )


def _find(asset: AssetSpec) -> tuple[Model, str | None]:
    """The model and its revision; a path starts at the folder of the file that names it."""
    name = full_id(asset.model or DEFAULTS[asset.kind])
    if name in BY_ID:
        return BY_ID[name], model_store.STORE.commit_of(name)
    if looks_like_path(name) or model_store.is_pipeline(name, asset.model_folder):
        stored = model_store.read_folder(name, asset.model_folder)
        assert stored.model is not None
        return stored.model, stored.revision
    raise MachineError(
        f"{name!r} is no model of this engine, and no folder with model_index.json (a path starts at the folder of "
        "the file that names it)"
    )


def _suited(asset: AssetSpec) -> str:
    return names(model for model in PUBLISHED if asset.kind in model.kinds)


def _able(asset: AssetSpec, ability: Ability) -> str:
    """What to do if a model lacks ``ability``: published models that have it."""
    able = [one for one in PUBLISHED if asset.kind in one.kinds and ability in one.abilities]
    return f"or use one of: {names(able)}" if able else f"no {asset.kind} model of this engine has it"


def _problems(request: _Request) -> Iterator[RequirementProblem]:
    asset, keys, model = request.asset, request.keys, request.model
    if asset.kind not in model.kinds:
        what = f"{model.id} makes {' and '.join(sorted(model.kinds))}, and this asset is {asset.kind}"
        yield RequirementProblem("model", what, f"use one of: {_suited(asset)}")
    for ability in _PLAIN:
        if getattr(keys, ability) is not None and ability not in model.abilities:
            what = f"{model.id} does not have {ability}"
            yield RequirementProblem(ability, what, f"remove it, {_able(asset, ability)}")
    for name, ability, what in _FILE_TASKS:
        if name in keys.inputs and ability not in model.abilities:
            yield RequirementProblem(name, f"{model.id} cannot {what}", f"remove it, {_able(asset, ability)}")
    for role in ("melody", "style"):
        if role in asset.engine_keys:
            what = f"diffusion models do not hear {role}"
            yield RequirementProblem(role, what, f"remove {role}, or use engine: audiocraft")
    yield from _conflicts(request)
    yield from _length(request)


def _conflicts(request: _Request) -> Iterator[RequirementProblem]:
    """Keys that exclude each other."""
    keys, family = request.keys, request.model.family
    if len(keys.inputs) > 1:
        first, second, *_ = keys.inputs
        yield RequirementProblem(first, f"{first} and {second} exclude each other", "remove one of them")
    repaint = keys.edits.get("repaint")
    if repaint is not None and repaint.settings["to_s"] > request.asset.duration_s:
        what = f"the part ends at {repaint.settings['to_s']:g} s, after the end of the sound"
        yield RequirementProblem("repaint", what, "ask for a longer duration or an earlier end (to)")
    if family == "stable-audio-3" and keys.inputs:
        for name in ("negative", "guidance"):
            if getattr(keys, name) is not None and name in request.model.abilities:
                what = f"Stable Audio 3 has no {name} when it hears a file ({', '.join(keys.inputs)})"
                yield RequirementProblem(name, what, f"remove {name}")


def _length(request: _Request) -> Iterator[RequirementProblem]:
    asset, keys, model = request.asset, request.keys, request.model
    if asset.duration_s < model.shortest_s:
        what = f"{asset.duration_s:g}s is shorter than {model.id}'s {model.shortest_s:g}s"
        able = [one for one in PUBLISHED if asset.kind in one.kinds and one.shortest_s <= asset.duration_s]
        yield RequirementProblem(
            "duration", what, f"ask for {model.shortest_s:g}s or more, or use one of: {names(able)}"
        )
    longest = model.longest_s - (_context_s(model) if keys.continue_from else 0.0)
    one_pass = keys.start_from is not None or bool(keys.edits)
    if asset.duration_s <= longest or (keys.extend and model.can_inpaint and not one_pass):
        return
    what = f"{asset.duration_s:g}s is longer than {model.id}'s {longest:g}s"
    if one_pass:
        remedy = f"ask for {longest:g}s or less"
    elif model.can_inpaint:
        remedy = f"set extend: true, or ask for {longest:g}s or less"
    else:
        remedy = f"ask for {longest:g}s or less, {_able(asset, 'inpaint')}"
    yield RequirementProblem("duration", what, remedy)


def _context_s(model: Model) -> float:
    return round(model.longest_s * _CONTEXT_SHARE, 6)


def _settings(request: _Request) -> dict[str, Scalar]:
    """Only what changes the audio: any other setting would make existing takes stale."""
    asset, keys, model = request.asset, request.keys, request.model
    settings: dict[str, Scalar] = {"steps": keys.steps or model.steps}
    hears_file = model.family == "stable-audio-3" and keys.inputs
    if model.guidance is not None and not hears_file:
        settings["guidance"] = keys.guidance or model.guidance
    for name in ("negative", "key", "time_signature", "lyrics"):
        if getattr(keys, name) is not None:
            settings[name] = getattr(keys, name)
    if keys.lyrics is not None:
        settings["language"] = keys.language
    if model.family == "ace-step" and asset.bpm is not None:
        settings["bpm"] = asset.bpm
    if keys.start_from is not None:
        settings |= keys.start_from.settings
    for edit in keys.edits.values():
        settings |= edit.settings
        if asset.loop:
            settings["file_loops"] = True
    if request.made_loop:
        settings["seam_s"] = round(min(_SEAM_S, request.seconds * _SEAM_SHARE), 6)
    if request.seconds > model.longest_s or keys.continue_from is not None:
        settings["context_s"] = _context_s(model)
    if request.seconds > model.longest_s or request.made_loop or keys.continue_from is not None:
        settings["window_s"] = model.longest_s
    return settings


def _ignored(request: _Request) -> tuple[str, ...]:
    asset, keys = request.asset, request.keys
    unused = [key for key in asset.engine_keys if key in _UNUSED]
    if asset.bpm is not None and not asset.loop and request.model.family != "ace-step":
        unused.append("bpm")
    if "language" in asset.engine_keys and keys.lyrics is None:
        unused.append("language")
    return tuple(unused)
