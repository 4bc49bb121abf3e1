"""Ids give every file of the library a name of its own, on every file system."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.manifest.names import check_id, fold, is_reserved
from pipeline.manifest.problems import Fault, nearest

SEGMENTS = st.from_regex(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,6}[A-Za-z0-9_-])?", fullmatch=True)


def _is_good(text: str) -> bool:
    try:
        check_id(text)
    except Fault:
        return False
    return True


IDS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join).filter(_is_good)


@pytest.mark.parametrize("text", ["a", "Music/Forest/explore_2", "sfx/v1.2/door", "_a/b-c", "con_1"])
def test_usual_ids_are_accepted(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize("text", ["CON", "nul.txt", "com1", "LPT9.a.b", "aux", "prn"])
def test_device_names_are_known_in_any_case_and_with_any_ending(text: str) -> None:
    assert is_reserved(text)


@given(st.text())
def test_an_accepted_id_is_plain_ascii_without_a_way_out(text: str) -> None:
    if _is_good(text):
        assert text.isascii()
        assert len(text) <= 120
        assert all(part and part[0] not in ".-" and part[-1] != "." for part in text.split("/"))


@given(st.text())
def test_names_that_differ_only_in_form_fold_to_one(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@given(st.text(alphabet=string.ascii_letters + "/_äÖß"))
def test_names_that_differ_only_in_case_fold_to_one(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower().upper())
    assert fold(text) == fold(text.swapcase()) or "ß" in text


@given(st.sets(IDS, min_size=2, max_size=5), st.lists(st.integers(1, 120), min_size=5, max_size=5))
def test_ids_that_fold_apart_never_share_a_library_file_or_folder(ids: set[str], counts: list[int]) -> None:
    apart = {fold(text): text for text in ids}
    files: set[str] = set()
    folders: set[str] = set()
    for (folded, _), count in zip(apart.items(), counts, strict=False):
        made = {
            f"{folded}_{number:02d}.{ending}" for number in range(1, count + 1) for ending in ("wav", "ogg")
        }
        assert files.isdisjoint(made)
        files |= made
        parts = folded.split("/")
        folders |= {"/".join(parts[:depth]) for depth in range(1, len(parts))}
    assert files.isdisjoint(folders)


def test_an_id_and_the_same_with_a_number_live_side_by_side() -> None:
    names = {
        f"{check_id(text)}_{number:02d}"
        for text in ("a/b", "a/b_01", "a/b_01_01")
        for number in range(1, 200)
    }
    assert len(names) == 3 * 199


def test_the_nearest_name_is_found_in_any_case() -> None:
    assert nearest("Varations", ["duration", "variations", "bpm"]) == "variations"
    assert nearest("x" * 5000, ["duration"]) is None
    assert nearest("qqqq", ["duration"]) is None


@pytest.mark.parametrize("text", ["con/door", "sfx/con", "sfx/Aux.1/door"])
def test_a_device_name_is_refused_in_any_part(text: str) -> None:
    with pytest.raises(Fault):
        check_id(text)
