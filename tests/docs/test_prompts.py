"""The prompt cookbook and the questions about licences say what the code says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.disclosure.legal import LEGAL_FACTS
from pipeline.generators.sketch.music.reading import read_music
from pipeline.generators.sketch.sfx.reading import read_sound
from pipeline.plan import check_profiles

DOCS = Path(__file__).parents[2] / "docs"
_STINGER_S = 6.0
_CUE_S = 40.0


def _rows(header: str) -> Iterator[tuple[str, str]]:
    """Prompt and reading of each row of the tables whose first column is ``header``."""
    for table in re.findall(rf"^\| {header} \|.*\n\|---.*\n((?:\|.*\n)+)", _page("prompts.md"), re.MULTILINE):
        for row in table.splitlines():
            prompt, reading = (cell.strip() for cell in row.split("|")[1:3])
            yield prompt, reading


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("prompt", "shown"), list(_rows("prompt")))
def test_the_cookbook_shows_what_sketch_hears_in_an_effect(prompt: str, shown: str) -> None:
    reading = read_sound(prompt)
    family, *rest = shown.split(", ")
    assert family == reading.family
    assert set(rest) <= {reading.material, reading.space, reading.place, reading.manner}


@pytest.mark.parametrize(("prompt", "shown"), list(_rows("music prompt")))
def test_the_cookbook_shows_what_sketch_hears_in_music(prompt: str, shown: str) -> None:
    reading = read_music(prompt, _CUE_S, loop=True)
    style, mode, tempo, *drums = shown.split(", ")
    assert (style, mode, tempo) == (reading.style, reading.mode, f"{reading.tempo_bpm:.0f} bpm")
    assert set(drums) <= {"no drums" if reading.kit == "none" else reading.kit}


@pytest.mark.parametrize(("prompt", "shown"), list(_rows("stinger prompt")))
def test_the_cookbook_shows_what_sketch_hears_in_a_stinger(prompt: str, shown: str) -> None:
    reading = read_music(prompt, _STINGER_S, loop=False)
    assert shown == f"{reading.style}, {reading.stinger}"


@pytest.mark.parametrize(("header", "least"), [("prompt", 40), ("music prompt", 10), ("stinger prompt", 4)])
def test_the_cookbook_has_examples(header: str, least: int) -> None:
    assert len(list(_rows(header))) >= least


def test_engines_accept_the_manifests_of_the_cookbook(tmp_path: Path) -> None:
    """Its models exist, and know the keys."""
    manifest = tmp_path / "cues.yaml"
    texts = re.findall(r"^```yaml\n(.*?)^```", _page("prompts.md"), re.MULTILINE | re.DOTALL)
    assert len(texts) >= 5
    for text in texts:
        manifest.write_text(text)
        assert check_profiles(manifest)


def test_facts_about_shops_and_laws_are_those_of_the_table_of_facts() -> None:
    section = _page("faq.md").split("## Must I tell the shop")[1].split("\n## ")[0]
    (read,) = re.findall(r"read on ([\d-]+)", section)
    facts = {fact.url: fact for fact in LEGAL_FACTS}
    cited = re.findall(r"\]\((https?://[^)]+)\)( \(secondary\))?", section)
    assert len(cited) >= 3
    for url, secondary in cited:
        assert facts[url].checked == read
        assert facts[url].secondary == bool(secondary)
