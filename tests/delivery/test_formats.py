"""The table of formats: every row has an encoder, and the docs show the same table."""

from __future__ import annotations

import pytest

from pipeline.delivery.encode import ENCODERS
from pipeline.formats import FORMATS, format_of
from scripts.format_table import PAGE, page


def test_the_docs_show_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run: make tables"


def test_every_format_has_an_encoder_and_the_other_way_round() -> None:
    assert list(ENCODERS) == list(FORMATS)


@pytest.mark.parametrize(
    ("name", "rate", "expected"),
    [
        ("wav", 44_100, 44_100),
        ("flac", 96_000, 96_000),
        ("opus", 24_000, 48_000),
        ("mp3", 22_050, 22_050),
        ("mp3", 30_000, 32_000),
        ("mp3", 96_000, 48_000),
    ],
)
def test_a_file_has_the_sound_s_rate_or_the_next_that_its_format_supports(
    name: str, rate: int, expected: int
) -> None:
    assert FORMATS[name].rate_for(rate) == expected


def test_an_ending_names_its_format_in_any_case() -> None:
    assert format_of(".OGG") is FORMATS["ogg"]
    assert format_of(".txt") is format_of("") is None
