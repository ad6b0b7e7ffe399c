"""Tests of media events."""

from custom_components.media_scrobbler.domain.event import MediaEvent
from custom_components.media_scrobbler.domain.title import MediaType, Title

FIRST = Title(media_type=MediaType.EPISODE, episode=1)
SECOND = Title(media_type=MediaType.EPISODE, episode=2)


def test_title_is_the_first_of_several() -> None:
    assert MediaEvent(name="PlaybackStop", titles=(FIRST, SECOND)).title is FIRST


def test_no_title() -> None:
    assert MediaEvent(name="PendingRestart").title is None
