"""The prompt policy: what it finds whatever the spelling, where it says so, and what is allowed nevertheless."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_texts import Complain, Load
from quick import QuickProject
from toys import HEAD as TOYS
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.manifest.policy import Policy, words_of
from pipeline.release import promote

POLICY = """\
policy:
  forbid:
  - {words: [Hans Zimmer, Motley Crue, ゼルダの伝説], reason: living artists and titles}
  - {patterns: ['style of *', 'disney*'], reason: imitates others}
  warn:
  - {words: didgeridoo, reason: cultural material}
"""


def asset(prompt: str, id_: str = "s") -> str:
    return f"- {{id: {id_}, kind: sfx, prompt: '{prompt}', duration: 1s}}\n"


def found(text: str, prompt: str, key: str = "words") -> bool:
    policy = Policy.from_json({"forbid": [{key: [text], "reason": "test"}]})
    return bool(list(policy.findings("a", prompt)))


@pytest.mark.parametrize(
    ("word", "prompt"),
    [
        ("Hans Zimmer", "slow HANS  zimmer brass"),
        ("Hans Zimmer", "hans-zimmer's brass"),
        ("Mötley Crüe", "motley crue riff"),
        ("Motley Crue", "Mo\u0308tley Cru\u0308e riff"),
        ("Coca-Cola", "ＣＯＣＡ ｃｏｌａ jingle"),
        ("zimmer", "zim\u200bmer\u00ad brass"),
        ("STRASSE", "an der Straße"),
        ("Чайковский", "ЧАЙКОВСКИЙ waltz"),
        ("ゼルダの伝説", "ｾﾞﾙﾀﾞの伝説のような曲"),
        ("젤다", "젤다의 노래"),
    ],
)
def test_a_word_is_found_however_it_is_spelled(word: str, prompt: str) -> None:
    assert found(word, prompt)


@pytest.mark.parametrize(
    ("word", "prompt"),
    [
        ("art", "a party starts"),
        ("Hans Zimmer", "zimmer hans"),
        ("Hans Zimmer", "hans and zimmer"),
        ("düne", "tune"),
    ],
)
def test_a_word_is_not_found_in_other_words(word: str, prompt: str) -> None:
    assert not found(word, prompt)


@pytest.mark.parametrize(
    ("pattern", "prompt", "expected"),
    [
        ("style of *", "in the style of Vangelis", True),
        ("style of *", "in the style of", False),
        ("disney*", "a DISNEYesque waltz", True),
        ("*craft", "warcraft drums", True),
        ("*craft", "crafty drums", False),
        ("a*b*c", "xx aXbYc", True),
        ("a*b*c", "acb", False),
    ],
)
def test_a_star_stands_for_letters_of_one_word(pattern: str, prompt: str, expected: bool) -> None:
    assert found(pattern, prompt, "patterns") is expected


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_every_word_of_a_prompt_is_found_in_it(prompt: str) -> None:
    assert all(found(word, prompt) for word in words_of(prompt))


def test_errors_name_file_line_word_reason_and_remedy(complaints: Complain) -> None:
    text = f"{POLICY}assets:\n{asset('wind')}{asset('brass like Hans Zimmer, in the style of Vangelis', 't')}"
    remedy = "describe the sound without it, or add an exception to policy"
    assert complaints(text) == [
        f"m.yaml:11: assets[1].prompt: 'Hans Zimmer' is forbidden: living artists and titles; {remedy}",
        "m.yaml:11: assets[1].prompt: 'style of vangelis' (pattern 'style of *') is forbidden: imitates others; "
        + remedy,
    ]


def test_a_warning_does_not_fail(loaded: Load) -> None:
    project = loaded(f"{POLICY}assets:\n{asset('a didgeridoo drone')}")
    assert [str(warning) for warning in project.warnings] == [
        "m.yaml:10: assets[0].prompt: 'didgeridoo' needs care: cultural material; "
        "describe the sound without it, or add an exception to policy"
    ]


def test_rules_of_included_files_add_up_and_name_their_own_mistakes(
    loaded: Load, complaints: Complain, folder: Path
) -> None:
    (folder / "policy.yaml").write_text(f"cuesmith: 1\n{POLICY}")
    text = "include: [policy.yaml]\npolicy: {forbid: [{words: tune, reason: too vague}]}\nassets:\n"
    [zimmer, tune] = complaints(text + asset("hans zimmer") + asset("a tune", "t"))
    assert "living artists" in zimmer
    assert "too vague" in tune
    (folder / "policy.yaml").write_text(
        "cuesmith: 1\npolicy:\n  forbid:\n  - {words: ['...'], reason: none}\n"
    )
    [mistake] = complaints(text + asset("wind"))
    assert mistake.startswith("policy.yaml:4: policy.forbid[0].words[0]: '...' has no letter or digit")


def test_for_each_and_overrides_are_checked_where_they_are_written(complaints: Complain) -> None:
    text = f"""{POLICY}assets:
- id: s/{{who}}
  kind: sfx
  prompt: "{{who}} sings"
  duration: 1s
  for_each: {{who: [bird, hans zimmer, disneyland]}}
  overrides:
  - when: {{who: bird}}
    prompt: in the style of Bach
"""
    assert [line.split(": '")[0] for line in complaints(text)] == [
        "m.yaml:12: assets[0].prompt",
        "m.yaml:12: assets[0].prompt",
        "m.yaml:17: assets[0].overrides[0].prompt",
    ]


def test_an_exception_needs_a_name_and_a_reason_and_holds_for_its_assets(
    loaded: Load, complaints: Complain
) -> None:
    allowed = "  exceptions:\n  - {words: hans zimmer, assets: 'm/*', by: Ada, reason: he composes this}\n"
    text = f"{POLICY}{allowed}assets:\n{asset('hans zimmer', 'm/a')}"
    assert loaded(text).policy["exceptions"][0]["by"] == "Ada"
    assert len(complaints(text + asset("hans zimmer", "n/a"))) == 1
    missing = complaints(text.replace(", by: Ada, reason: he composes this", ""))
    assert [line.split(": ")[1] for line in missing[:2]] == [
        "policy.exceptions[0].by",
        "policy.exceptions[0].reason",
    ]
    [warning] = loaded(
        text.replace("words: hans zimmer, assets", "words: [hans zimmer, hanz], assets")
    ).warnings
    assert "no rule has 'hanz'" in str(warning)


def test_no_pattern_is_slow_and_regular_expressions_are_refused(complaints: Complain) -> None:
    rule = "policy: {forbid: [{patterns: ['(a+)+$'], reason: x}]}\nassets:\n"
    [fault] = complaints(rule + asset("a" * 1900))
    assert "there are no regular expressions" in fault
    worst = "*a" * 45 + "b"
    policy = Policy.from_json({"forbid": [{"patterns": [worst, "* * * * *a*a*b"], "reason": "x"}]})
    # An engine that backtracks would need years for these.
    assert list(policy.findings("s", "a" * 2000)) == []
    assert list(policy.findings("s", "aa " * 666)) == []


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    return QuickProject(tmp_path / "toys")


def cli(*words: object) -> Any:
    return CliRunner().invoke(app, [*map(str, words)])


def test_validate_plan_and_build_end_with_exit_code_2(project: QuickProject) -> None:
    project.write(
        asset("hans zimmer").replace("- {", "  - {"), TOYS.replace("assets:\n", POLICY + "assets:\n")
    )
    for words in (("validate",), ("plan", "-o", project.outputs), ("build", "-o", project.outputs)):
        done = cli(words[0], project.manifest, *words[1:])
        assert done.exit_code == 2
        assert "'Hans Zimmer' is forbidden: living artists and titles" in done.stderr
    assert not (project.outputs / "catalog").exists()


def test_promotion_checks_masters_from_before_the_rule_and_discloses_exceptions(
    project: QuickProject, tmp_path: Path
) -> None:
    locked = "  - {id: s, kind: sfx, prompt: PROMPT, duration: 0.3s, lock: true}\n"
    project.write(locked.replace("PROMPT", "hans zimmer and a didgeridoo"))
    project.build()
    project.write(locked.replace("PROMPT", "wind"), TOYS.replace("assets:\n", POLICY + "assets:\n"))
    assert project.build()["version"] == 2, "a new policy is a new version"
    assert project.build()["published"] is False

    def verdict() -> dict[str, Any]:
        result = promote(
            project.catalog, project.latest.number, "release", at="2026-01-01T00:00:00Z", by="Ada"
        )
        return {refusal.code: refusal.masters for refusal in result.refused} | {"warnings": result.warnings}

    assert verdict()["policy"] == (("s_01", "'Hans Zimmer' is forbidden: living artists and titles"),)
    assert verdict()["warnings"] == ("s_01: 'didgeridoo' needs care: cultural material",)
    done = cli("promote", 2, "--channel", "release", "--by", "Ada", "-o", project.outputs)
    assert done.exit_code == 1
    assert "warning: s_01: 'didgeridoo'" in done.stderr
    exception = "  exceptions:\n  - {words: Hans Zimmer, assets: s, by: Ada, reason: consent}\n"
    project.write(
        locked.replace("PROMPT", "wind"), TOYS.replace("assets:\n", POLICY + exception + "assets:\n")
    )
    project.build()
    assert "policy" not in verdict()
    cli("disclose", "--to", tmp_path / "d", "-o", project.outputs)
    [allowed] = json.loads((tmp_path / "d" / "disclosure.json").read_text())["exceptions"]
    assert allowed == {
        "words": ["Hans Zimmer"],
        "assets": ["s"],
        "by": "Ada",
        "reason": "consent",
        "sounds": 1,
    }
    assert "| Hans Zimmer | s | 1 | Ada | consent |" in (tmp_path / "d" / "ai-act.md").read_text()
