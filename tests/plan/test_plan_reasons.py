"""The words in which a plan says why something is to be made."""

from __future__ import annotations

from pathlib import Path

from quick import QuickProject
from toys import ONE, TWO

from flows.prepare import prepare


def reasons(project: QuickProject) -> dict[str, list[str]]:
    """Of everything that is to be made, by its file's name."""
    assets = prepare(project.manifest, str(project.outputs)).plan.stale
    return {
        f"{asset.asset.id}_{variation.variation:02d}": list(variation.reasons)
        for asset in assets
        for variation in asset.variations
        if variation.action != "reuse"
    }


def test_every_variation_of_a_new_asset_is_new_with_it_and_one_more_is_a_new_variation(
    tmp_path: Path,
) -> None:
    project = QuickProject(tmp_path)
    project.write(ONE)
    assert reasons(project) == {"a/one_01": ["new asset"], "a/one_02": ["new asset"]}
    project.build()
    project.write(ONE.replace("variations: 2", "variations: 3") + TWO)
    assert reasons(project) == {
        "a/one_01": ["shared gain: another variation changed"],
        "a/one_02": ["shared gain: another variation changed"],
        "a/one_03": ["new variation"],
        "a/two_01": ["new asset"],
    }
