"""Write the table of docs/formats.md from `pipeline.formats`.

python scripts/format_table.py
"""

from __future__ import annotations

from pathlib import Path

from pipeline.formats import FORMATS, TARGET_FORMATS, AudioFormat

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
BEGIN, END = "<!-- formats:begin -->\n", "<!-- formats:end -->"
HEAD = """\
| format | codec | lossless | sample rates | loop points | tags | Content Credentials | export targets | MIME type |
|---|---|---|---|---|---|---|---|---|"""


def _row(row: AudioFormat) -> str:
    cells = [
        f"`{row.name}`",
        row.codec,
        "also `bit_depth: float`" if row.float_samples else "yes" if row.lossless else "no",
        ", ".join(f"{rate / 1000:g}" for rate in row.rates) + " kHz" if row.rates else "any",
        row.loop_points or "no",
        row.tags,
        "in the file" if row.holds_credentials else "beside it",
        ", ".join(target for target, names in TARGET_FORMATS.items() if row.name in names) or "none",
        f"`{row.mime_type}`",
    ]
    return f"| {' | '.join(cells)} |"


def page(text: str) -> str:
    """The page ``text`` with the table of `pipeline.formats`."""
    before, rest = text.split(BEGIN)
    table = "\n".join([HEAD, *map(_row, FORMATS.values()), ""])
    return before + BEGIN + table + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
