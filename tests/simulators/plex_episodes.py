"""Episodes in a list, as XML and fast: there may be very many.

They are what the slow way makes of them, letter by letter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .catalogue import Episode, Season
from .plex_guids import guids_xml, plex_guid
from .plex_markup import escape, to_xml
from .plex_sections import Extent, ViewState


@dataclass(slots=True, kw_only=True)
class SeasonForm:
    """What the episodes of a season have in common, as pieces of XML."""

    season_guid: str
    before_guid: str
    before_title: str
    before_index: str
    before_year: str
    show_path: str
    season_path: str
    after_added: str
    director: str

    @classmethod
    def of(
        cls,
        season: Season,
        season_key: int,
        show_key: int,
        guids: tuple[str, str],
        director: Mapping[str, Any],
    ) -> SeasonForm:
        """Return the form for a season, its keys and guids, and who has directed it."""
        show = season.show
        show_path = f"/library/metadata/{show_key}"
        season_path = f"/library/metadata/{season_key}"
        season_guid, show_guid = guids
        slug = escape(show.title.lower().replace(" ", "-"))
        return cls(
            season_guid=season_guid,
            before_guid=(
                f' parentRatingKey="{season_key}" grandparentRatingKey="{show_key}"'
            ),
            before_title=(
                f' parentGuid="{escape(season_guid)}"'
                f' grandparentGuid="{escape(show_guid)}"'
                f' grandparentSlug="{slug}" type="episode"'
            ),
            before_index=(
                f' grandparentKey="{show_path}" parentKey="{season_path}"'
                f' grandparentTitle="{escape(show.title)}"'
                f' parentTitle="{season.title}" contentRating="TV-14"'
            ),
            before_year=f' parentIndex="{season.number}" audienceRating="8.0"',
            show_path=show_path,
            season_path=season_path,
            after_added=(
                ' audienceRatingImage="themoviedb://image.rating" chapterSource="media"'
            ),
            director=to_xml("Director", director),
        )

    def guid(self, episode: Episode, key: int) -> str:
        """Return the guid of an episode."""
        if self.season_guid.startswith("plex://"):
            return plex_guid(episode.key, "episode")
        if self.season_guid.startswith("local://"):
            return f"local://{key}"
        base, _, language = self.season_guid.partition("?")
        return f"{base}/{episode.number}?{language}"

    def episode(
        self,
        episode: Episode,
        key: int,
        guid: str,
        added: int,
        state: ViewState | None,
        extent: Extent,
    ) -> str:
        """Return an episode as XML."""
        path = f"/library/metadata/{key}"
        duration = episode.runtime // timedelta(milliseconds=1)
        director = "" if "Director" in extent.without else self.director
        media = ""
        if "Media" not in extent.without:
            media = (
                f'<Media id="{key}" duration="{duration}" bitrate="4211" width="1920"'
                ' height="1080" aspectRatio="1.78" audioChannels="6" audioCodec="ac3"'
                ' videoCodec="h264" videoResolution="1080" container="mkv"'
                ' videoFrameRate="24p" videoProfile="high">'
                f'<Part id="{key}" key="/library/parts/{key}/1/file.mkv"'
                f' duration="{duration}" file="/data/video/{key}.mkv"'
                ' size="1474560000" container="mkv" videoProfile="high"/></Media>'
            )
        guids = ""
        if extent.guids and guid.startswith("plex://") and "Guid" not in extent.without:
            guids = guids_xml(episode.ids)
        inner = f"{guids}{director}{media}"
        return (
            f'<Video ratingKey="{key}" key="{path}"{self.before_guid}'
            f' guid="{escape(guid)}"{self.before_title} title="{escape(episode.title)}"'
            f'{self.before_index} summary="{escape(episode.summary)}" index="{episode.number}"'
            f'{self.before_year} year="{episode.aired.year}"'
            f' thumb="{path}/thumb/{added}" art="{self.show_path}/art/{added}"'
            f' parentThumb="{self.season_path}/thumb/{added}"'
            f' grandparentThumb="{self.show_path}/thumb/{added}"'
            f' grandparentArt="{self.show_path}/art/{added}" duration="{duration}"'
            f' originallyAvailableAt="{episode.aired.isoformat()}" addedAt="{added}"'
            f' updatedAt="{added}"{self.after_added}{_state_xml(state)}'
            + (f">{inner}</Video>" if inner else "/>")
        )


def _state_xml(state: ViewState | None) -> str:
    """Return what a user has done with an episode, as attributes."""
    if state is None:
        return ""
    return to_xml("", state.attributes()).removeprefix("<").removesuffix("/>")
