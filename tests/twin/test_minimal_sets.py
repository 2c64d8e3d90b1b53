"""Which sets are found for which answers, and which are asked for on the way: no copy, no namespace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netdoctor.experiments.interventions import UNNAMED, Intervention
from netdoctor.experiments.minimal_sets import ChangeSet, is_necessary, minimal_sets


def candidate(name: str, cause: str = "", *, remedy: bool = False) -> Intervention:
    return Intervention(name, cause or name, "", "", lambda: None, remedy=remedy)


def remedy(name: str, cause: str = "") -> Intervention:
    return candidate(name, cause, remedy=True)


class Trials:
    """What is tried: a flow passes with each set that has all of one of its cures, as many times as may be tried."""

    def __init__(self, cures: dict[str, list[str]], most: int = 1000) -> None:
        self.cures, self.most = cures, most
        self.asked: list[str] = []

    def passes(self, chosen: ChangeSet) -> dict[str, bool] | None:
        if len(self.asked) >= self.most:
            return None
        names = {each.name for each in chosen}
        self.asked.append("".join(each.name for each in chosen))
        return {flow: any({*cure} <= names for cure in cures) for flow, cures in self.cures.items()}

    def found(
        self, candidates: list[Intervention], curable: list[str] | None = None, likely: tuple[str, ...] = ()
    ) -> dict[str, list[str]]:
        """The sets of each flow that has some, each as one word."""
        curable = list(self.cures) if curable is None else curable
        sets = minimal_sets(candidates, self.passes, curable, likely=likely)
        return {flow: ["".join(c.name for c in one) for one in several] for flow, several in sets.items() if several}


A, B, C, D = (candidate(name) for name in "abcd")
R, S, T = (remedy(name) for name in "rst")


def test_each_candidate_that_is_enough_alone_is_a_set() -> None:
    trials = Trials({"f": ["a", "b"], "g": ["c"]})
    assert trials.found([A, B, C]) == {"f": ["a", "b"], "g": ["c"]}
    assert trials.asked == ["a", "b", "c"]


def test_no_more_is_tried_once_each_curable_flow_has_a_set() -> None:
    trials = Trials({"f": ["a"], "never": ["z"]})
    assert trials.found([A, B, C, R, S], curable=["f"]) == {"f": ["a"]}
    assert trials.asked == ["r", "s", "a"]


def test_where_nothing_is_curable_all_that_is_small_is_tried_and_the_whole_is_not_made_smaller() -> None:
    trials = Trials({"f": ["z"]})
    assert trials.found([A, R, S], curable=[]) == {}
    assert trials.asked == ["r", "s", "a", "rs"]


def test_a_flow_that_the_whole_set_does_not_cure_may_pass_with_one_candidate() -> None:
    trials = Trials({"f": ["a"]})
    assert trials.found([A, B], curable=[]) == {"f": ["a"]}


def test_remedies_are_tried_first_and_of_each_kind_those_of_likely_causes() -> None:
    trials = Trials({"f": ["z"]})
    trials.found([A, B, R, S], curable=[], likely=("b", "s"))
    assert trials.asked == ["s", "r", "b", "a", "sr"]


def test_remedies_are_tried_two_by_two_and_the_first_pair_is_kept() -> None:
    trials = Trials({"f": ["rs", "rt"]})
    assert trials.found([A, R, S, T]) == {"f": ["rs"]}
    assert trials.asked == ["r", "s", "t", "a", "rs"]


def test_a_pair_is_no_set_of_a_flow_that_one_candidate_cures() -> None:
    trials = Trials({"f": ["r"], "g": ["rs"]})
    assert trials.found([R, S]) == {"f": ["r"], "g": ["rs"]}


def test_else_the_whole_set_is_made_smaller_what_is_no_remedy_first() -> None:
    trials = Trials({"f": ["abr"]})
    assert trials.found([R, A, S, B, C]) == {"f": ["rab"]}
    assert trials.asked == ["r", "s", "a", "b", "c", "rs", "rsbc", "rasc", "rasb", "asb", "rab"]


def test_each_flow_has_a_smallest_set_of_its_own() -> None:
    assert Trials({"f": ["ab"], "g": ["bcd"]}).found([A, B, C, D]) == {"f": ["ab"], "g": ["bcd"]}


def test_what_was_found_before_nothing_can_be_tried_any_more_is_kept() -> None:
    trials = Trials({"f": ["a"], "g": ["bc"]}, most=2)
    assert trials.found([A, B, C]) == {"f": ["a"]}
    assert trials.asked == ["a", "b"]


@pytest.mark.parametrize("most", range(2, 8))
def test_a_set_that_could_not_be_made_smaller_to_the_end_is_none(most: int) -> None:
    found = Trials({"f": ["abc"]}, most=most).found([A, B, C, D])
    assert found == {}


def test_none_is_tried_for_the_next_flow_once_nothing_can_be_tried_any_more() -> None:
    trials = Trials({"f": ["ab"], "g": ["bc"]}, most=5)
    assert trials.found([A, B, C, D]) == {}
    assert len(trials.asked) == 5


def test_sets_are_asked_for_side_by_side_and_one_size_after_the_other() -> None:
    trials = Trials({"f": ["z"]})
    minimal_sets([R, S, T], trials.passes, [], at_once=2)
    assert sorted(trials.asked[:2]) == ["r", "s"]
    assert trials.asked[2] == "t"
    assert sorted(trials.asked[3:5]) == ["rs", "rt"]
    assert trials.asked[5:] == ["st"]


def tried_by(answer: bool, asked: list[str]) -> Callable[[ChangeSet], bool]:
    def fails(chosen: ChangeSet) -> bool:
        asked.append("".join(each.name for each in chosen))
        return answer

    return fails


@pytest.mark.parametrize("answer", [True, False])
def test_a_set_is_necessary_where_a_flow_fails_with_everything_else(answer: bool) -> None:
    asked: list[str] = []
    assert is_necessary((A,), [A, B, R], tried_by(answer, asked)) is answer
    assert asked == ["br"]


def test_another_way_to_take_away_the_same_cause_is_nothing_else() -> None:
    asked: list[str] = []
    named, unnamed = candidate("x", cause="a"), candidate("y", cause=UNNAMED)
    assert is_necessary((A,), [A, named], tried_by(False, asked))
    assert asked == []
    assert not is_necessary((unnamed,), [unnamed, candidate("z", cause=UNNAMED)], tried_by(False, asked))
    assert asked == ["z"]
