"""Tests of outcomes."""

from itertools import pairwise

import pytest

from custom_components.media_scrobbler.domain.outcome import Answer, Outcome


def test_what_matters_most_comes_first() -> None:
    assert list(Outcome) == [
        Outcome.RECORDED,
        Outcome.MERGED,
        Outcome.HELD,
        Outcome.UPDATED,
        Outcome.IGNORED,
        Outcome.REJECTED,
    ]


@pytest.mark.parametrize(("more", "less"), pairwise(Outcome))
def test_of_several_the_first_in_order_is_told(more: Outcome, less: Outcome) -> None:
    order = list(Outcome)

    assert min([less, more], key=order.index) is more


def test_answer_needs_an_outcome_and_a_reason_only() -> None:
    answer = Answer(Outcome.IGNORED, "photos are not recorded")

    assert answer.event is None
    assert answer.title is None
    assert answer.viewers == ()
