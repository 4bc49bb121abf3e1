"""What licences allow under what a studio declares: the gate, the plan, the list of licences."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_engines import FakeEngine, installed
from quick import QuickProject
from typer.testing import CliRunner

from flows.cli.app import app
from manifests import load, load_cached
from pipeline.catalog import Reviews
from pipeline.errors import ManifestError
from pipeline.licenses import LicenseDeclaration, LicenseTerms, ModelLicense
from pipeline.plan import check_profiles
from pipeline.release import refusals

READ = {"source": "https://example.com/license", "read": "2026-11-01"}
COMMUNITY = LicenseTerms(
    "https://example.com/license",
    "2026-11-01",
    revenue_below_usd=1_000_000,
    attribution="Powered by Example AI",
    registration="https://example.com/register",
)
RESEARCH = LicenseTerms("https://example.com/research", "2026-11-01")
ENGINES = (
    FakeEngine("free", license="MIT"),
    FakeEngine("community", license="Example Community", terms=COMMUNITY),
    FakeEngine("research", license="CC-BY-NC-4.0", commercial=False, terms=RESEARCH),
    FakeEngine("mystery", license="unknown", commercial=True),
)
BELOW_A_MILLION = "license: {commercial: true, revenue_below_usd: 1000000}\n"
CONDITION = "community/model: Example Community allows commercial use below USD 1,000,000 of yearly revenue"
NOT_RESEARCH = "research/model: CC-BY-NC-4.0 does not allow commercial use"
NOT_MYSTERY = "mystery/model: its license is unknown"


@pytest.fixture(autouse=True)
def engines() -> Iterator[None]:
    with installed(*ENGINES):
        yield


def write(project: QuickProject, declaration: str, policy: str = "any") -> None:
    """A manifest with one asset for each engine."""
    assets = (
        f"  - {{id: a/{engine.name}, kind: sfx, prompt: {engine.name}, duration: 0.5s, "
        f"engine: {engine.name}, license: {policy}}}\n"
        for engine in ENGINES
    )
    project.write("".join(assets), f"cuesmith: 1\nproject: toys\n{declaration}assets:\n")


def refused(project: QuickProject) -> dict[str, str]:
    """Master to why the gate refuses its licence, in the latest version."""
    found = refusals(project.store, project.latest, Reviews(project.store).state())
    return {name: why for one in found if one.code == "non-commercial" for name, why in one.masters}


def run(project: QuickProject, *words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--outputs", str(project.outputs)])
    assert done.exit_code == 0, done.output
    return done


def records(project: QuickProject) -> dict[str, bytes]:
    """Every take, master and sound."""
    sounds = (project.outputs / "store").rglob("*.wav")
    made = [path for folder in ("takes", "masters") for path in (project.outputs / folder).rglob("*.json")]
    return {str(path): path.read_bytes() for path in (*made, *sounds)}


def test_four_engines_one_permitted_under_a_declared_revenue_and_a_change_makes_nothing(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, BELOW_A_MILLION)
    assert project.build()["published"]
    permitted = {"a/mystery_01": NOT_MYSTERY, "a/research_01": NOT_RESEARCH}
    assert refused(project) == permitted
    before, log = records(project), project.folder / "made.log"
    monkeypatch.setenv("TOY_LOG", str(log))
    answers = []
    for declaration in (
        "license: {commercial: true, revenue_below_usd: 2000000}\n",
        "license: {commercial: true}\n",
        "",
        "license: {commercial: false}\n",
        BELOW_A_MILLION,
    ):
        write(project, declaration)
        assert project.actions() == {"reuse": [f"a/{engine.name}_1" for engine in sorted_engines()]}
        assert project.build()["published"]
        assert not project.build()["published"]
        answers.append(refused(project))
    none = f"{CONDITION}, and the manifest declares none"
    more = f"{CONDITION}, and the manifest declares one below USD 2,000,000"
    assert answers == [
        permitted | {"a/community_01": more},
        permitted | {"a/community_01": none},
        permitted | {"a/community_01": none},
        {"a/mystery_01": NOT_MYSTERY},
        permitted,
    ]
    assert records(project) == before
    assert not os.path.exists(log)


def sorted_engines() -> list[FakeEngine]:
    return sorted(ENGINES, key=lambda engine: engine.name)


def test_the_record_has_the_terms_and_the_list_has_the_texts_for_the_credits(project: QuickProject) -> None:
    write(project, BELOW_A_MILLION)
    project.build()
    [record] = [
        take["model"]
        for path in (project.outputs / "takes").glob("*.json")
        if (take := json.loads(path.read_text()))["model"]["engine"] == "community"
    ]
    assert record["terms"] == {
        **READ,
        "revenue_below_usd": 1_000_000,
        "attribution": "Powered by Example AI",
        "registration": "https://example.com/register",
    }
    listed = json.loads(run(project, "catalog", "licenses", "--json").stdout)
    assert listed["declared"] == {"commercial": True, "revenue_below_usd": 1_000_000}
    assert [(row["model"], row["masters"], row["refused"]) for row in listed["licenses"]] == [
        ("community/model", 1, None),
        ("free/model", 1, None),
        ("mystery/model", 1, "its license is unknown"),
        ("research/model", 1, "CC-BY-NC-4.0 does not allow commercial use"),
    ]
    text = run(project, "catalog", "licenses").stdout
    assert (
        "community/model  Example Community  1 master  (https://example.com/license, read 2026-11-01)" in text
    )
    assert "show in the credits: Powered by Example AI" in text
    assert "register at https://example.com/register" in text
    assert "release: refused: its license is unknown" in text


def test_the_plan_says_what_the_gate_will_refuse_and_what_is_asked_for(project: QuickProject) -> None:
    write(project, "license: {commercial: true}\n")
    output = run(project, "plan", str(project.manifest)).stderr
    assert f"the release gate will refuse {CONDITION}, and the manifest declares none" in output
    assert f"the release gate will refuse {NOT_RESEARCH}" in output
    assert "the license of community/model asks you to show in the credits: Powered by Example AI" in output
    assert "free/model" not in output.replace("free free/model", "")
    rows = json.loads(run(project, "plan", str(project.manifest), "--json").stdout)["licenses"]
    assert [row["engine"] for row in rows] == ["community", "mystery", "research"]


@pytest.mark.parametrize(
    ("policy_declaration", "said"),
    [
        ("", ("community", "mystery", "research")),
        (BELOW_A_MILLION, ("mystery", "research")),
        ("license: {commercial: false}\n", ("community", "mystery", "research")),
    ],
)
def test_an_asset_with_license_commercial_is_checked_under_the_declaration(
    project: QuickProject, policy_declaration: str, said: tuple[str, ...]
) -> None:
    write(project, policy_declaration, policy="commercial")
    with pytest.raises(ManifestError) as caught:
        check_profiles(project.manifest)
    assert [problem.where for problem in caught.value.problems] == [
        f"a/{name}.license" for name in ("community", "research", "mystery") if name in said
    ]


@pytest.mark.parametrize("name", ["unknown", "Unknown (a local checkpoint)", "", "  "])
@pytest.mark.parametrize("declared", [None, LicenseDeclaration(True, 1), LicenseDeclaration(False)])
def test_unknown_is_never_allowed(name: str, declared: LicenseDeclaration | None) -> None:
    for terms in (None, COMMUNITY):
        assert ModelLicense("e", "m", name, True, terms).refusal(declared) == "its license is unknown"
    assert ModelLicense("e", "m", "Ours", False, None).refusal(declared) is not None


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ("license: commercial\n", "license: is a single value, not a mapping"),
        ("license: {revenue_below_usd: 5}\n", "license.commercial: is missing; write commercial: true or"),
        ("license: {commercial: maybe}\n", "license.commercial: 'maybe' is neither true nor false"),
        ("license: {commercial: true, revenue_below_usd: 1M}\n", "license.revenue_below_usd: '1M' is not a"),
        ("license: {commercial: true, revenue_below_usd: 0}\n", "license.revenue_below_usd: "),
        ("license: {commercial: true, revenue: 5}\n", "license.revenue: unknown key"),
    ],
)
def test_a_declaration_that_cannot_be_is_reported_with_its_line(
    project: QuickProject, declaration: str, said: str
) -> None:
    write(project, declaration)
    with pytest.raises(ManifestError, match=re.escape(f"{project.manifest}:3: {said}")):
        load(project.manifest)


def test_an_included_file_may_declare_for_a_whole_studio_and_the_cache_keeps_it(
    project: QuickProject, tmp_path: Path
) -> None:
    write(project, "include: [studio.yaml]\n")
    (project.folder / "studio.yaml").write_text(f"cuesmith: 1\n{BELOW_A_MILLION}")
    for _ in range(2):
        kept = load_cached(project.manifest, None, tmp_path / "cache")
        assert kept.license == LicenseDeclaration(True, 1_000_000)
    write(project, "include: [studio.yaml]\nlicense: {commercial: false}\n")
    assert load(project.manifest).license == LicenseDeclaration(False)
