"""Names of exports are valid everywhere, unique without letter case, and stable."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.export.names import file_stem, object_name, unique_names
from pipeline.manifest.names import fold, is_reserved

HOSTILE = [
    "CON",
    "sfx/aux.wav",
    "None",
    "a" * 300,
    "/".join(["deep"] * 80),
    "🔥/💧",
    "💧/🔥",
    "שלום/عالم",
    "a\u202eb/gnp.exe",
    "sfx/Door",
    "sfx/door",
    "sfx/DOOR",
    "tab\tline\nfeed",
    "..",
    "../../etc/passwd",
    " . ",
    "-rf",
    "q\"uo'te<>|?*:\\",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=400))


@given(st.lists(TEXTS, unique=True, max_size=40))
def test_hostile_names_become_safe_unique_names(ids: list[str]) -> None:
    for clean, allowed in ((object_name, r"[A-Za-z0-9_]+"), (file_stem, r"[A-Za-z0-9_][A-Za-z0-9_ .-]*")):
        names = unique_names({text: clean(text) for text in ids}, {})
        assert len({fold(name) for name in names.values()}) == len(ids)
        for name in names.values():
            assert len(name) <= 150
            for part in name.split("/"):
                assert re.fullmatch(allowed, part) or part.startswith("."), name
                assert part not in ("", ".", "..")
                assert part == part.strip(" .")
                assert not is_reserved(part)
                assert part.casefold() != "none"


@given(st.lists(TEXTS, unique=True, max_size=20), st.lists(TEXTS, unique=True, max_size=20))
def test_names_of_an_earlier_export_stay_when_sounds_are_added(before: list[str], added: list[str]) -> None:
    kept = unique_names({text: object_name(text) for text in before}, {})
    both = {text: object_name(text) for text in {*before, *added}}
    parts = [name.lower().split("/") for name in both.values()]
    folders = {"/".join(listed[:end]) for listed in parts for end in range(1, len(listed))}
    names = unique_names(both, kept)
    stay = [text for text in before if kept[text].lower() not in folders]
    assert [names[text] for text in stay] == [kept[text] for text in stay]


def test_a_case_twin_that_is_added_gets_a_name_of_its_own_and_the_first_keeps_its_own() -> None:
    kept = unique_names({"sfx/door": "sfx/door"}, {})
    names = unique_names({"sfx/Door": "sfx/Door", "sfx/door": "sfx/door"}, kept)
    assert names["sfx/door"] == "sfx/door"
    assert re.fullmatch(r"sfx/Door_[0-9a-f]{8}", names["sfx/Door"])
