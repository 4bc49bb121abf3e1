"""The page's own modules without a browser: the search language and how times are written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import pipeline.report

NODE = shutil.which("node")
PAGE = Path(pipeline.report.__file__).parent / "page"

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

MASTER = {
    "name": "sfx/door_01",
    "prompt": "An oak door, ratio 2:1",
    "tags": ["Wood", "dry wood"],
    "words": "sfx/door_01\nan oak door, ratio 2:1\nwood\ndry wood",
    "kind": "sfx",
    "seconds": 0.499,
    "lufs": -23.04,
    "off": None,
    "peak": -1.0,
    "quality": 0.92,
    "modelFacts": {"model": "maker/model-small"},
}
KNOWN = """{
  kind: ["music", "sfx"], tag: ["Wood", "dry wood"], model: ["maker/model-small"],
  is: { approved: () => true, "unreviewed": () => false },
}"""


def _run(code: str) -> Any:
    done = subprocess.run(
        [str(NODE), "--input-type=module", "-e", code], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def _parse(queries: list[str]) -> dict[str, tuple[bool, list[str]]]:
    address = json.dumps((PAGE / "query.js").as_uri())
    answers = _run(
        f"import {{ parseQuery }} from {address};"
        f"const master = {json.dumps(MASTER)}, known = {KNOWN};"
        f"const found = {json.dumps(queries)}.map((text) => parseQuery(text, known));"
        "console.log(JSON.stringify(found.map(({ test, problems }) => [test(master), problems])));"
    )
    return dict(zip(queries, answers, strict=True))


def test_every_right_term_finds_or_leaves_out() -> None:
    finds = ["", "-", '-"', "OAK door", '"oak door"', "“oak door”", "-elm", '-"door oak"', '"2:1"', "2:1"]
    finds += ["duration<0.5", "duration<500ms", "duration>=499ms", "duration=0.499s", "-duration>1min"]
    finds += [
        "lufs<-20",
        "lufs=-23",
        "lufs>=-23.1LUFS",
        "peak<=-1dBTP",
        "quality>.9",
        "-off>1",
        "lufs<\u221220",
    ]
    finds += ["tag:wood", 'tag:"dry wood"', "kind:SFX", "model:small", "name:door", 'prompt:"oak door"']
    finds += ["is:approved", "-is:unreviewed", "oak tag:wood duration<1 -elm"]
    leaves_out = [
        '"door oak"',
        "-oak",
        "duration>5",
        "duration<0.3",
        "lufs<-30",
        "off>1",
        "off<1",
        "-tag:wood",
    ]
    leaves_out += ["kind:music", "name:oak", "prompt:sfx", "is:unreviewed", "oak elm", "-kind:sfx"]
    answers = _parse([*finds, *leaves_out])
    assert {query: problems for query, (_, problems) in answers.items() if problems} == {}
    assert [query for query in finds if not answers[query][0]] == []
    assert [query for query in leaves_out if answers[query][0]] == []


def test_a_wrong_term_is_ignored_and_says_what_is_valid() -> None:
    wrong = {
        "lenght>5": "no field is called lenght. Fields: duration, lufs, ",
        "constructor:x": "put it in quotes",
        "duration:5": "use <, >, <=, >= or =, such as duration>5",
        "duration>": "comes a number, such as duration>1",
        "duration<5kg": "duration takes no kg; use s, ms, min",
        "quality>5s": "quality takes no s",
        "kind:sfxx": "after kind: comes one of: music, sfx",
        "tag:": "after tag: comes one of: Wood, dry wood",
        "tag>wood": "write tag:wood",
        "model:big": "one of: maker/model-small",
        "is:aproved": "one of: approved, unreviewed",
        ">5": "write the field before it, without a space, such as duration>5",
        "name:": "after name: comes a text",
    }
    answers = _parse([*wrong, "oak lenght>5", "elm lenght>5"])
    for query, words in wrong.items():
        found, [problem] = answers[query]
        assert found
        assert problem.startswith(f"Ignored {query} ")
        assert words in problem
    assert answers["oak lenght>5"][0]
    assert not answers["elm lenght>5"][0]


def test_a_short_time_is_in_milliseconds_and_a_position_in_the_unit_of_its_sound() -> None:
    times = [0, 0.0005, 0.499, 0.9994, 0.9996, 4.21, 9.994, 9.996, 24.34, 59.94, 59.96, 83.44, 3661]
    expected = [
        "0 ms",
        "1 ms",
        "499 ms",
        "999 ms",
        "1.00 s",
        "4.21 s",
        "9.99 s",
        "10.0 s",
        "24.3 s",
        "59.9 s",
    ]
    expected += ["1:00.0", "1:23.4", "61:01.0"]
    address = json.dumps((PAGE / "dom.js").as_uri())
    answers = _run(
        f"import {{ clock }} from {address};"
        f"console.log(JSON.stringify([{times}.map((time) => clock(time)), clock(0.2, 4), clock(5, 83)]));"
    )
    assert answers == [expected, "0.20 s", "0:05.0"]
