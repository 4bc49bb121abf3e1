"""Reads a tree into a model of the language, and reports in plain words what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipeline.manifest.keys import (
    Asset,
    AssetFile,
    FadeKeys,
    LoopKeys,
    Manifest,
    Override,
    QualityKeys,
    SamplingKeys,
    Settings,
    Shared,
)
from pipeline.manifest.problems import (
    Fault,
    Location,
    MappingNode,
    Report,
    dotted,
    list_names,
    locate,
    suggest,
    to_data,
)
from pipeline.manifest.values import nothing, shape

ModelT = TypeVar("ModelT", bound=BaseModel)
ModelT_co = TypeVar("ModelT_co", bound=BaseModel, covariant=True)
Data = dict[str, Any]
_EXAMPLES = {
    "cuesmith": "cuesmith: 1",
    "project": "project: and the project's name",
    "assets": "assets: and a list of assets, or assets: [] for none",
    "when": "when: and names of for_each, such as when: {surface: gravel}",
    "id": "id: such as sfx/door/wood",
    "kind": "kind: music or kind: sfx",
    "prompt": "prompt: and the sound in words",
    "file": "file: and a path such as audio/theme.wav",
    "category": "category: such as FOOTHmn",
}
_GROUPS: dict[str, type[BaseModel]] = {
    "quality": QualityKeys,
    "sampling": SamplingKeys,
    "fade": FadeKeys,
    "loop": LoopKeys,
    "overrides": Override,
}


@dataclass(frozen=True)
class Checked(Generic[ModelT_co]):
    """What could be read. Later checks leave out the keys in ``bad``: their problem is already known."""

    value: ModelT_co
    bad: frozenset[str]


def check(
    model: type[ModelT],
    node: MappingNode,
    report: Report,
    base: Location = (),
    stand_in: Data | None = None,
) -> Checked[ModelT] | None:
    """``node`` as a ``model``, without the keys that cannot be read; each of those is reported.

    ``stand_in`` has a value for each required key. None comes back only when that does not help.
    """
    data = to_data(node)
    try:
        return Checked(model.model_validate(data), frozenset())
    except ValidationError as error:
        found = error.errors(include_url=False)
    explained = {item["loc"][:depth] for item in found for depth in range(len(item["loc"]))}
    bad: set[str] = set()
    for item in found:
        location = item["loc"]
        if location in explained:
            continue
        line, known = locate(node, location)
        place = location if item["type"] == "missing" else known
        report.add(line, dotted(base + place), _fault(model, item))
        bad.update(str(step) for step in location)
        _remove(data, location)
    for key, value in (stand_in or {}).items():
        if key not in data:
            data[key] = value
            bad.add(key)
    try:
        return Checked(model.model_validate(data), frozenset(bad))
    except ValidationError:
        return None


def _remove(data: Any, location: Location) -> None:
    """Take out the deepest key of ``location`` that stands in a mapping; a list goes as a whole."""
    holder, key = None, None
    for step in location:
        if not isinstance(data, dict) or step not in data:
            break
        holder, key = data, step
        data = data[step]
    if holder is not None:
        del holder[key]


def _fault(model: type[BaseModel], error: Mapping[str, Any]) -> Fault:
    """One of pydantic's errors in our words."""
    kind, location = error["type"], error["loc"]
    said = error.get("ctx", {}).get("error")
    last = str(location[-1]) if location else ""
    if error["input"] is None and last in _EXAMPLES:
        return Fault("has no value", f"write {_EXAMPLES[last]}")
    if isinstance(said, Fault):
        return said
    if kind == "missing":
        return Fault("is missing", f"write {_EXAMPLES.get(last, f'{last}:')}")
    if kind == "extra_forbidden":
        return _unknown(_model_at(model, location[:-1]), last)
    return _wrong_shape(kind, error)


def _wrong_shape(kind: str, error: Mapping[str, Any]) -> Fault:
    """The fault of a list or a mapping that is something else, or holds too little or too much."""
    given = error["input"]
    if given is None:
        return nothing("one")
    if kind == "too_long":
        return Fault(f"holds more than {error['ctx']['max_length']} values", "shorten it")
    if kind == "too_short":
        return Fault("is empty", "write at least one value, or remove the line")
    if kind == "tuple_type":
        return Fault(f"is {shape(given)}, not a list", "write [a, b] or one value a line, each after '- '")
    return Fault(f"is {shape(given)}, not a mapping", "write key: value lines beneath it")


def _unknown(model: type[BaseModel], key: str) -> Fault:
    """The fault of a key that ``model`` does not have."""
    if key == "engine" and model in (Asset, Override):
        return Fault(
            "unknown key", "an engine is chosen for a whole kind; set it in defaults or in a profile"
        )
    if model is AssetFile and key in _keys(Manifest):
        remedy = f"a file of assets holds only {list_names(_keys(AssetFile))}; move it to the manifest"
        return Fault("unknown key", remedy)
    if model is Shared and key in ("project", "assets"):
        remedy = f"an included file holds only {list_names(_keys(Shared))}; move it to the manifest"
        return Fault("unknown key", remedy)
    if key in Asset.model_fields and issubclass(model, Settings):
        return Fault("unknown key", "this is said of one asset only; move it to the asset")
    home = _home_of(key)
    if home:
        return Fault("unknown key here", f"write it {home}")
    return Fault("unknown key", suggest(key, _keys(model), "known keys:"))


def _home_of(key: str) -> str:
    """Where ``key`` may stand, in words; empty for a key that the language does not know."""
    if key == "engine":
        return "in defaults, for all or below music or sfx"
    if key in _keys(Settings):
        return "below music or sfx in defaults, or in one asset"
    if key in _keys(Asset):
        return "in an asset"
    return next((f"below {group}" for group, model in _GROUPS.items() if key in _keys(model)), "")


def _keys(model: type[BaseModel]) -> Iterator[str]:
    return (field.alias or name for name, field in model.model_fields.items())


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model that reads what stands at ``location``; free names and places in a list change nothing."""
    for step in location:
        field = next((f for name, f in model.model_fields.items() if step in (name, f.alias)), None)
        inner = _inner_model(field.annotation) if field else None
        model = inner or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_inner_model(part) for part in get_args(annotation))
    return next((part for part in found if part), None)


@dataclass(frozen=True)
class Entry:
    """One entry as far as it could be read."""

    file: str
    """The file that it stands in: its path from the manifest's folder, with ``/``."""
    folder: Path
    """That file's folder, where the paths of the entry start."""
    place: int
    node: MappingNode
    checked: Checked[Asset]
    report: Report
    overridden: Mapping[str, int] = field(default_factory=dict)
    """By key, which of the entry's overrides wrote its value."""

    @property
    def asset(self) -> Asset:
        """What is written; keys in ``checked.bad`` hold stand-ins."""
        return self.checked.value

    @property
    def line(self) -> int:
        """Line of the entry's first key."""
        return self.node.line

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other entry."""
        return (self.file, self.place)

    def named_in(self, other: Entry) -> str:
        """How a message about ``other`` names this entry."""
        file = "" if other.file == self.file else f" of {self.report.file}"
        return f"assets[{self.place}] on line {self.line}{file}"

    def blame(self, location: Location, fault: Fault) -> None:
        """Report a fault in this entry."""
        if location and location[0] in self.overridden:
            location = ("overrides", self.overridden[str(location[0])], *location)
        self.report.at(self.node, location, fault, base=("assets", self.place))

    def readable(self, *keys: str) -> bool:
        """Whether each of these keys could be read."""
        return self.checked.bad.isdisjoint(keys)
