"""The sketch engine's page names everything that it can make."""

from pathlib import Path

import pytest

from pipeline.generators.sketch import lexicon_music, lexicon_sound
from pipeline.generators.sketch.music.drums import KITS
from pipeline.generators.sketch.sfx.creatures import VOICES
from pipeline.generators.sketch.sfx.effect import FAMILIES
from pipeline.generators.sketch.sfx.materials import MATERIALS

PAGE = (Path(__file__).parents[2] / "docs" / "sketch.md").read_text(encoding="utf-8")
NAMES = {*FAMILIES, *lexicon_music.STYLES, *lexicon_music.MODES, *KITS, *VOICES}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_page_names_it(name):
    assert name in PAGE


def test_every_family_and_material_that_words_name_can_be_made():
    assert set(lexicon_sound.FAMILIES) | {"fallback"} == set(FAMILIES)
    assert set(lexicon_sound.MATERIALS) == set(MATERIALS)
