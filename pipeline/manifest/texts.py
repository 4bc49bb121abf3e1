"""The texts of an entry that may hold ``{name}``: their values, and their faults, for each combination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pipeline.manifest import values as v
from pipeline.manifest.entries import Entry
from pipeline.manifest.files import AudioFiles
from pipeline.manifest.ids import check_id
from pipeline.manifest.problems import Fault, Location
from pipeline.manifest.shared_specs import hearing_of
from pipeline.manifest.spec import AudioInput, Ucs
from pipeline.manifest.templates import Template, compile_template

ValueT = TypeVar("ValueT")
Combination = Sequence[str]


class Filler(Generic[ValueT]):
    """One text of an entry: its value for each combination. A fault is reported once, at the first."""

    def __init__(
        self, entry: Entry, location: Location, template: Template | None, finish: Callable[[str], ValueT]
    ) -> None:
        self._entry = entry
        self._location = location
        self._template = template
        self._finish = finish
        self._failed = False
        self._constant: ValueT | None = None
        if template is not None and template.constant is not None:
            self._constant = self._value(())
            self._template = None

    def _value(self, combination: Combination) -> ValueT | None:
        if self._template is None or self._failed:
            return self._constant
        try:
            return self._finish(self._template.fill(combination))
        except Fault as fault:
            self._failed = True
            self._entry.blame(self._location, fault)
            return None

    def fill(self, combination: Combination) -> ValueT | None:
        """The value; None where nothing is written or where it cannot stand."""
        return self._constant if self._template is None else self._value(combination)


class Texts:
    """Everything in an entry that may hold ``{name}``."""

    def __init__(self, entry: Entry, audio: AudioFiles) -> None:
        self._entry = entry
        asset = entry.asset
        self._names = list(asset.for_each)
        self.id = self._template(("id",), asset.id)
        self._was = [
            Filler(
                entry, ("was", place), self._template(("was", place), text), lambda old: check_id(old, "was")
            )
            for place, text in enumerate(asset.was)
        ]
        self._prompt = Filler(entry, ("prompt",), self._template(("prompt",), asset.prompt), v.PROMPT.check)
        self._tags = [
            Filler(entry, ("tags", place), self._template(("tags", place), tag), v.TAG.check)
            for place, tag in enumerate(asset.tags)
        ]
        files: dict[str, tuple[Location, str | None]] = {
            "melody": (("melody",), asset.melody),
            "continue_from": (("continue_from",), asset.continue_from),
            "style": (("style", "file"), asset.style.file if asset.style else None),
        }

        def find(path: str) -> AudioInput:
            return audio.find(v.PATH.check(path), entry.folder)

        def find_style(path: str) -> AudioInput:
            found = find(path)
            audio.check_excerpt(found, hearing_of(asset.style))
            return found

        self._audio = {
            role: Filler(entry, place, self._template(place, text), find_style if role == "style" else find)
            for role, (place, text) in files.items()
        }
        name = asset.ucs.name if asset.ucs else None
        where: Location = ("ucs", "name")
        self._fx_name = Filler(entry, where, self._template(where, name), v.FX_NAME.check)

    def _template(self, location: Location, text: str | None) -> Template | None:
        if text is None or not self._entry.readable(str(location[0])):
            return None
        try:
            return compile_template(text, self._names)
        except Fault as fault:
            if self._entry.readable("for_each"):
                self._entry.blame(location, fault)
            return None

    def check(self, combination: Combination) -> None:
        """Report what is wrong with this combination."""
        self.prompt(combination)
        self.tags(combination, ())
        for role in self._audio:
            self.audio(role, combination)
        self.ucs(combination)

    def was(self, slugs: Combination) -> tuple[str, ...]:
        """The earlier ids, the latest first; ``slugs`` are the combination's values as ids hold them."""
        filled = (filler.fill(slugs) for filler in self._was)
        return tuple(old for old in filled if old is not None)

    def prompt(self, combination: Combination) -> str:
        """The prompt."""
        return self._prompt.fill(combination) or ""

    def tags(self, combination: Combination, otherwise: tuple[str, ...]) -> tuple[str, ...]:
        """The tags, each once; ``otherwise`` where the entry has none of its own."""
        if "tags" not in self._entry.asset.model_fields_set:
            return otherwise
        return tuple(dict.fromkeys(filler.fill(combination) or "" for filler in self._tags))

    def audio(self, role: str, combination: Combination) -> AudioInput | None:
        """The audio file of a role."""
        return self._audio[role].fill(combination)

    def ucs(self, combination: Combination) -> Ucs | None:
        """The UCS labels."""
        labels = self._entry.asset.ucs
        return Ucs(labels.category, self._fx_name.fill(combination)) if labels else None
