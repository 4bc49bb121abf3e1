"""No file can make the loader run away: each limit has its message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from manifest_texts import HEAD, Complain, Load

from manifests import load
from pipeline.errors import ManifestError
from pipeline.manifest import reader


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "[{a: "])
def test_endless_nesting_is_refused(opening: str, folder: Path) -> None:
    (folder / "m.yaml").write_text(opening * 20_000)
    with pytest.raises(ManifestError) as caught:
        load(Path("m.yaml"))
    assert str(caught.value.problems[-1]) == (
        "m.yaml:1: nested more than 32 levels deep; a manifest needs six levels; check the brackets"
    )


def test_a_billion_laughs_are_refused(complaints: Complain) -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert complaints("\n".join(lines))[-1] == (
        "m.yaml:8: aliases expand to more than 100,000 values; use defaults or for_each in place of aliases"
    )


def test_aliases_nest_no_deeper_than_brackets(complaints: Complain) -> None:
    lines = ["a0: &a0 [ha]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))]
    assert complaints("\n".join(lines))[-1].endswith(
        "nested more than 32 levels deep; a manifest needs six levels; check the brackets"
    )


def test_a_few_aliases_are_welcome(loaded: Load) -> None:
    text = """\
        assets:
        - {id: a, kind: sfx, prompt: a, duration: 1, tags: &common [door, wood]}
        - {id: b, kind: sfx, prompt: b, duration: 1, tags: *common}
        """
    assert [asset.tags for asset in loaded(text).assets] == [("door", "wood")] * 2


def test_a_file_beyond_the_size_limit_is_not_read(folder: Path) -> None:
    (folder / "m.yaml").write_text("#" * (reader.MAX_BYTES + 1))
    with pytest.raises(ManifestError) as caught:
        load(Path("m.yaml"))
    assert str(caught.value) == "m.yaml:1: the file is larger than 16 MiB; split it into several manifests"


def test_a_file_of_too_many_values_is_refused(complaints: Complain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_NODES", 100)
    assert complaints(f"assets: [{'a, ' * 200}]") == ["m.yaml:3: the file has more than 100 values; split it"]


def test_a_mapping_of_too_many_keys_is_refused(complaints: Complain) -> None:
    keys = "".join(f"key{n}: 1\n" for n in range(10_000))
    assert complaints(keys) == ["m.yaml:10001: a mapping has more than 10,000 keys; write assets as a list"]


def test_a_thousand_problems_are_enough(complaints: Complain) -> None:
    messages = complaints("assets:\n" + "- x\n" * 5000)
    assert len(messages) == 1001
    assert messages[-1] == "m.yaml:1003: 1,000 problems so far; fix these first; there may be more"


@pytest.mark.parametrize("key", ["formats: [%s]", "tags: [%s]", "for_each: {x: [%s]}"])
def test_a_list_beyond_its_limit_is_refused_before_its_values_are_read(
    key: str, complaints: Complain
) -> None:
    text = "assets:\n- {id: a, kind: sfx, prompt: a, duration: 1, KEY}\n"
    assert len(complaints(text.replace("KEY", key % ('"",' * 20_000)))) == 1


def test_a_large_manifest_loads(loaded: Load) -> None:
    entry = "- {id: sfx/%d, kind: sfx, prompt: a door, duration: 1}\n"
    assert len(loaded("assets:\n" + "".join(entry % n for n in range(2000))).assets) == 2000


@pytest.mark.parametrize(
    "text",
    [
        "assets: [",
        'a: "\\uD800"',
        'a: "\\U00110000"',
        "a: 'x",
        "a: b: c",
        "\ta: b",
        "!x!y a",
        "%YAML 9.9\n--- a",
        "a: |9\n x",
        "a: &",
        "*a",
        "a: {b: *c}",
        "? [a]\n: b",
    ],
)
def test_the_slow_parser_gives_manifest_errors_too(
    text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_LOADER", yaml.SafeLoader)
    (folder / "m.yaml").write_text(text)
    with pytest.raises(ManifestError) as caught:
        load(Path("m.yaml"))
    assert all("\n" not in str(problem) for problem in caught.value.problems)


def test_both_parsers_read_the_demo_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = Path(__file__).parents[2] / "manifests" / "emberfall.yaml"
    fast = load(demo)
    monkeypatch.setattr(reader, "_LOADER", yaml.SafeLoader)
    assert load(demo) == fast


def test_the_head_of_these_tests_is_a_manifest(loaded: Load) -> None:
    assert loaded(f"{HEAD}assets: []\n", head=False).assets == ()
