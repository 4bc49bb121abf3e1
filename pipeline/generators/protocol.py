"""The contract between Cuesmith and anything that generates audio.

An `Engine` is light: it states from tables what an asset requires, so that `plan` needs no model, no GPU and no numpy.
`Engine.open` imports and loads what generates, in a worker process for one device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from pipeline.errors import GenerationError
from pipeline.licenses import LicenseTerms
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe, Scalar

if TYPE_CHECKING:
    from pipeline.audio import Clip, Loop


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The facts about a model that a person needs before they ship its output."""

    id: str
    revision: str
    license: str
    """SPDX identifier, or a plain name if there is none."""
    commercial: bool
    """Whether the licence of the weights allows their output in a game that is sold, perhaps under ``terms``. False
    for a licence that nobody knows."""
    sample_rate_hz: int
    channels: int
    neural: bool
    """True: trained model (AI-generated). False: procedural."""
    placeholder: bool
    """True: its output is not meant to ship."""
    published: bool = False
    """True: ``id`` names weights that others publish, so their revision can change while the manifest does not. A build
    stays with the revision that the catalog has until it is asked for the new one."""
    terms: LicenseTerms | None = None
    """The conditions of the licence, with their source. None: nothing is known beyond ``commercial``."""


class RequirementProblem(NamedTuple):
    """Why the engine cannot generate an asset as it is written."""

    field: str
    """The key of the asset that is wrong, such as ``melody``."""
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an asset requires of its engine: everything in a recipe but the seed."""

    model: ModelInfo
    seconds: float
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    conditioning: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    """Keys of the asset that this engine ignores; recorded, so that nobody is misled."""
    problems: tuple[RequirementProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class GeneratedTake:
    """The raw audio of a recipe."""

    clip: Clip
    loop: Loop | None = None
    """The loop, if it already has no seam."""
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    """Small objects that are stored with the audio, by name (``codes``)."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """JSON values for provenance: what the engine decided."""


Outcome = tuple[Recipe, GeneratedTake | GenerationError]


@dataclass(frozen=True, slots=True)
class StoredTake:
    """An earlier take's stored codes, from which another take can be made without the language model."""

    take: str
    """Its recipe's digest."""
    attachments: Mapping[str, bytes]
    notes: Mapping[str, Any]


class Generator(Protocol):
    """An opened engine on one device, used by one worker process."""

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """Yield one outcome for each recipe, in any order, as soon as it is known.

        A build gives one recipe at a time, or as many as `Batching` says.

        ``audio`` has the conditioning clips by the SHA-256 in the recipes. A take never depends on the other recipes
        of the call. A recipe that fails yields its `GenerationError`; the others continue.
        """

    def software(self) -> Mapping[str, str]:
        """Versions of the software that the audio depends on (``numpy``, ``torch``, ``cuda``)."""

    def close(self) -> None:
        """Free the device."""


class RecipeSource(Protocol):
    """The recipes of a session, one after the other, the costliest first. Threads may share it."""

    def next(self) -> Recipe | None:
        """The next recipe. If no earlier one is without its outcome, this waits for one, and None ends the session.

        Otherwise None means that there is none for now.
        """

    def begin(self, recipe: Recipe) -> None:
        """Work on ``recipe`` begins: its time limit runs, and if the process dies, it is a possible cause."""

    def end(self, recipe: Recipe) -> None:
        """The place of ``recipe`` is free for another. Its outcome says this too."""

    def use_slots(self, count: int) -> None:
        """The device makes ``count`` takes at once; by default one."""


class ListedRecipes:
    """A `RecipeSource` of recipes that are all known."""

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self._left = deque(recipes)
        self._lock = Lock()

    def next(self) -> Recipe | None:
        """See `RecipeSource.next`."""
        with self._lock:
            return self._left.popleft() if self._left else None

    def begin(self, recipe: Recipe) -> None:
        """Nobody follows the work."""

    def end(self, recipe: Recipe) -> None:
        """Nobody follows the work."""

    def use_slots(self, count: int) -> None:
        """Nobody follows the work."""


@runtime_checkable
class Streaming(Protocol):
    """A generator that takes new recipes while it works on others."""

    def stream(self, source: RecipeSource, audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """As `Generator.generate` for the recipes of ``source``, which come one by one, until it has no more.

        ``audio`` always has the conditioning clips of the recipes that have no outcome yet.
        """


@runtime_checkable
class Batching(Protocol):
    """A generator whose `Generator.generate` makes several takes at once; others get one recipe at a time."""

    batch_size: int
    """Most recipes of one call."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long one device needs for recipes."""

    seconds: float
    """Generating, once the model is loaded."""
    load_seconds: float
    """Loading the model onto the device, once."""
    start_seconds: float
    """Imports of a new worker process, once."""
    basis: str
    """Where the figures come from, for a person."""


@runtime_checkable
class Estimator(Protocol):
    """An engine that can estimate better than the sum of `Engine.cost`."""

    def estimate(self, recipes: Sequence[Recipe], device: str) -> Estimate:
        """How long ``device`` needs for ``recipes``, all of one model, in one run. Light, like the whole engine."""


@runtime_checkable
class Preflight(Protocol):
    """An engine that can report before a build what this machine lacks."""

    def missing(self, recipes: Sequence[Recipe]) -> Iterable[str]:
        """What ``recipes`` need and this machine lacks (weights, packages), each a sentence with its remedy.

        Light, like the whole engine: nothing is loaded or hashed.
        """


@runtime_checkable
class Engine(Protocol):
    """The object of an entry point in the group ``cuesmith.engines``."""

    name: str
    version: str
    """Incremented when the same recipe would give other audio; part of every recipe."""

    device_kinds: Sequence[str]
    """Kinds of device that it supports: of ``cuda``, ``mps``, ``cpu``."""

    def requirements(self, asset: AssetSpec) -> Requirements:
        """What generating ``asset`` requires, with problems if it cannot be generated.

        ``asset.engine_keys`` has the manifest keys that engines declare.

        Raises only `MachineError`, if this machine lacks something to find out; any other error is reported as a bug of
        the engine.
        """

    def devices(self) -> Sequence[str]:
        """Devices of this machine to use by default, one entry for each worker."""

    def cost(self, recipe: Recipe) -> float:
        """Relative cost of a recipe; the costliest are made first: about its seconds on the engine's usual device."""

    def open(self, device: str) -> Generator:
        """Load what generation needs onto ``device``. Raises `MachineError` with what is missing."""


@runtime_checkable
class Grouping(Protocol):
    """An engine that cannot make all takes of a model side by side."""

    def group(self, recipe: Recipe) -> str:
        """Recipes of one model and one group are made side by side; a device drains before it makes another group."""


@runtime_checkable
class Redecoding(Protocol):
    """An engine that can make a take from another take's stored codes; its generators are `Redecoder`."""

    def origin(self, recipe: Recipe) -> Recipe:
        """``recipe`` without the settings that only decide how codes become audio.

        Takes of equal origins have equal codes.
        """


@runtime_checkable
class Redecoder(Protocol):
    """A generator of a `Redecoding` engine."""

    def redecode(self, recipe: Recipe, stored: StoredTake) -> GeneratedTake:
        """The take of ``recipe`` from one of equal origin: the same audio as from `Generator.generate`.

        Raises `GenerationError` if it cannot be made.
        """


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

    def list_models(self) -> ModelList:
        """The models that can be used, without loading or hashing any."""

    def fetch_model(self, name: str, progress: Callable[[str], None]) -> Sequence[InstalledModel]:
        """Download ``name`` and the models that it needs; ``progress`` gets one line for each step.

        Raises `UsageError` for an unknown name, `MachineError` if the network or the disk fails.
        """

    def verify_models(self, names: Collection[str] = ()) -> tuple[Sequence[InstalledModel], Sequence[str]]:
        """Hash the files of the models ``names``, or of all; also which models cannot be read.

        Raises `UsageError` for a name that is not installed.
        """


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
