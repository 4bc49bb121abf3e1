"""Precision and recall of the gates on sounds that none of them was tuned on."""

from functools import cache

import pytest
from held_out_sounds import FAULTS, Labelled, broken, good

from pipeline.quality import QualityReport, limits_of, score


def judge(sound: Labelled) -> QualityReport:
    return score(sound, limits_of("sfx"))


@cache
def judge_broken(number: int) -> QualityReport:
    return judge(broken(number))


def test_precision_and_recall_on_the_held_out_set_are_at_least_98_percent() -> None:
    accused = [number for number in range(200) if not judge(good(number)).passed]
    detected = [number for number in range(200) if not judge_broken(number).passed]
    assert len(detected) / 200 >= 0.98
    assert len(detected) / (len(detected) + len(accused)) >= 0.98


@pytest.mark.parametrize("place", range(len(FAULTS)), ids=FAULTS)
def test_a_fault_closes_its_own_gate(place: int) -> None:
    reports = [judge_broken(number) for number in range(place, 200, len(FAULTS))]
    named = [FAULTS[place] in {failure.name for failure in report.failures} for report in reports]
    assert sum(named) >= 19
