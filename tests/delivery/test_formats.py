"""The table of formats: every row has an encoder, and the docs show the same table."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.delivery.encode import ENCODERS
from pipeline.formats import FORMATS, AudioFormat, format_of

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
HEAD = """\
| format | codec | lossless | sample rates | loop points | tags | Content Credentials | MIME type |
|---|---|---|---|---|---|---|---|"""


def line(row: AudioFormat) -> str:
    lossless = "also `bit_depth: float`" if row.float_samples else "yes" if row.lossless else "no"
    rates = ", ".join(f"{rate / 1000:g}" for rate in row.rates) + " kHz" if row.rates else "any"
    cells = [
        f"`{row.name}`",
        row.codec,
        lossless,
        rates,
        row.loop_points or "no",
        row.tags,
        "in the file" if row.holds_credentials else "beside it",
        f"`{row.mime_type}`",
    ]
    return f"| {' | '.join(cells)} |"


def test_the_docs_show_the_table() -> None:
    table = "\n".join([HEAD, *map(line, FORMATS.values())])
    text = DOCS.read_text(encoding="utf-8")
    assert text.split("<!-- formats:begin -->\n")[1].split("\n<!-- formats:end -->")[0] == table


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
