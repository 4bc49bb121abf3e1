"""The contract between Cuesmith and anything that generates audio.

An `Engine` is light: it answers from tables what an asset would ask of it, so that `plan` needs no model, no
GPU and no numpy. `Engine.open` is where weights and heavy imports begin, in a worker process bound to a device.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pipeline.errors import GenerationError
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe, Scalar

if TYPE_CHECKING:
    from pipeline.audio import Clip, Loop


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a person must know of a model before they ship what it made."""

    id: str
    revision: str
    license: str
    """SPDX identifier, or a plain name where there is none."""
    commercial: bool
    """Whether the licence lets a game that is sold contain the output's source weights' work."""
    sample_rate_hz: int
    channels: int
    neural: bool
    """True: trained model (AI-generated). False: procedural."""
    placeholder: bool
    """True: never meant to ship."""


@dataclass(frozen=True, slots=True)
class RequirementProblem:
    """Why the engine cannot make an asset as it is written."""

    field: str
    """The asset's key at fault, such as ``melody``."""
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Requirements:
    """An asset in an engine's own terms: all of a recipe but its seed."""

    model: ModelInfo
    seconds: float
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    conditioning: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    """Keys of the asset that this engine does not hear; recorded, so that nobody is misled."""
    problems: tuple[RequirementProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class GeneratedTake:
    """The raw audio that a recipe gave."""

    clip: Clip
    loop: Loop | None = None
    """The loop, if it already wraps without a seam."""
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    """Small objects kept beside the audio, by name (``codes``)."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """JSON values for provenance: what the engine decided on the way."""


Outcome = tuple[Recipe, GeneratedTake | GenerationError]


@dataclass(frozen=True, slots=True)
class StoredTake:
    """What an earlier take keeps, from which another one can be made without its model."""

    take: str
    """Its recipe's digest."""
    attachments: Mapping[str, bytes]
    notes: Mapping[str, Any]


class Generator(Protocol):
    """An opened engine on one device. It belongs to one worker process and is never shared."""

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """Yield one outcome for each recipe, in any order, each as soon as it is known.

        ``audio`` holds the conditioning clips by the SHA-256 that recipes name. A take never depends on the
        other recipes of the call. A recipe that fails yields its `GenerationError`; the others go on.
        """
        ...

    def software(self) -> Mapping[str, str]:
        """Versions of what the audio depends on besides the recipe (``numpy``, ``torch``, ``cuda``)."""
        ...

    def close(self) -> None:
        """Free the device."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long recipes will keep one device busy."""

    seconds: float
    """Making them, the model being there."""
    load_seconds: float
    """Bringing the model onto the device, once."""
    start_seconds: float
    """Until a new worker process has imported what it needs, once."""
    basis: str
    """For the person: where the figures come from."""
    learned: bool = False
    """Whether the engine has worked in what earlier takes took; otherwise the plan does."""


@runtime_checkable
class Estimator(Protocol):
    """An engine that knows better than its recipes' summed `Engine.cost` how long they will take."""

    def estimate(self, recipes: Sequence[Recipe], device: str) -> Estimate:
        """How long ``recipes``, all of one model, will keep ``device`` busy in one go. Light, as all of an engine."""
        ...


@runtime_checkable
class Preflight(Protocol):
    """What an engine is besides, that can say before a build what this machine lacks."""

    def missing(self, recipes: Sequence[Recipe]) -> Iterable[str]:
        """What ``recipes`` need and this machine lacks (weights, packages), each a sentence with its remedy.

        Light, as all of an engine: nothing is loaded or hashed.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """What an entry point in group ``cuesmith.engines`` names."""

    name: str
    version: str
    """Rises when the same recipe would give other audio; part of every recipe."""

    device_kinds: Sequence[str]
    """Kinds of device that it can work on at all: of ``cuda``, ``mps``, ``cpu``."""

    def requirements(self, asset: AssetSpec) -> Requirements:
        """What making ``asset`` would take.

        What is wrong with the asset is returned in the ask's problems. Raises only `MachineError`, where this machine
        lacks something that answering takes; anything else that it raises is told as the engine's own fault.
        """
        ...

    def devices(self) -> Sequence[str]:
        """Devices of this machine to use unless told otherwise, one entry for each worker worth having."""
        ...

    def cost(self, recipe: Recipe) -> float:
        """Relative cost of a recipe, to balance shards: about seconds on the engine's usual device."""
        ...

    def open(self, device: str) -> Generator:
        """Load what generation needs onto ``device``. Raises `MachineError` naming what is missing."""
        ...


@runtime_checkable
class Redecoding(Protocol):
    """What an engine is besides, where its takes keep what other takes can be made from; `Redecoder` makes them."""

    def origin(self, recipe: Recipe) -> Recipe:
        """``recipe`` as it stands before its attachments become audio.

        Takes of equal origins keep equal attachments.
        """
        ...


@runtime_checkable
class Redecoder(Protocol):
    """What a generator of a `Redecoding` engine is besides."""

    def redecode(self, recipe: Recipe, kept: StoredTake) -> GeneratedTake:
        """The take of ``recipe`` from one of equal origin: the same audio that `Generator.generate` would give.

        Raises `GenerationError` where it cannot be made.
        """
        ...


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model in an engine's model store."""

    id: str
    revision: str
    folder: Path
    size: int
    """Bytes of its files."""
    files: Mapping[str, str]
    """SHA-256 of each file, by its path below ``folder``."""
    sources: Mapping[str, str]
    """SHA-256 of each file that it was converted from."""
    fault: str | None = None
    """What is wrong with its files; None if they match, or were not checked."""


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models that an engine can use, installed or not."""

    lines: Sequence[str]
    """One for each model, for a person."""
    report: Mapping[str, Any]
    """The same as JSON values."""
    problems: Sequence[str]
    """Installed models that cannot be read, each with its remedy."""


@runtime_checkable
class ModelStore(Protocol):
    """An engine whose models are files on this machine: what ``cuesmith models`` needs."""

    def models_folder(self) -> Path:
        """The folder of the installed models."""
        ...

    def list_models(self) -> ModelList:
        """The models that can be used, without loading or hashing any."""
        ...

    def fetch_model(self, name: str, progress: Callable[[str], None]) -> Sequence[InstalledModel]:
        """Download ``name`` and the models that it needs; ``progress`` gets one line for each step.

        Raises `UsageError` for an unknown name, `MachineError` if the network or the disk fails.
        """
        ...

    def verify_models(self, names: Collection[str] = ()) -> tuple[Sequence[InstalledModel], Sequence[str]]:
        """Hash the files of the models ``names``, or of all; also which models cannot be read.

        Raises `UsageError` for a name that is not installed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One line of ``cuesmith doctor``."""

    what: str
    found: str
    fix: str | None = None
    """What to do about it; None if all is well."""


@runtime_checkable
class Diagnostics(Protocol):
    """An engine that can check what it needs on this machine."""

    def diagnostics(self) -> Iterable[Diagnostic]:
        """Versions, devices and their memory. May import what the engine generates with."""
        ...
