"""Write the table of gates in docs/quality.md from `pipeline.gates`.

python scripts/gate_table.py
"""

from __future__ import annotations

from pathlib import Path

from pipeline.gates import GATES, Gate

PAGE = Path(__file__).parents[1] / "docs" / "quality.md"
BEGIN, END = "<!-- gates:begin -->\n", "<!-- gates:end -->"


def _limit(gate: Gate) -> str:
    sfx, music = (f"{gate.limits[kind]:g}" for kind in ("sfx", "music"))
    if sfx == music == "0":
        return ""
    unit = " times the requested length" if gate.of_length else f" {gate.unit}" if gate.unit else ""
    lowest = f"; at least {gate.floor:g} {gate.unit}" if gate.floor else ""
    return (f"{sfx}{unit}" if sfx == music else f"{sfx} (music: {music}){unit}") + lowest


def table() -> str:
    """The table as Markdown."""
    rows = [
        f"| {gate.name} | {gate.closes_when} | {_limit(gate)} | {f'`{gate.key}`' if gate.key else ''} |"
        for gate in GATES.values()
    ]
    return "\n".join(["| gate | closes when | limit | key |", "|---|---|---|---|", *rows, ""])


def page(text: str) -> str:
    """The page ``text`` with its table replaced by `table`."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
