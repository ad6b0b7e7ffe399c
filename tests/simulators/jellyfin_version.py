"""Which version of Jellyfin a stand-in is, and what such a server does otherwise.

Everything in which versions differ is a property here, as two servers showed it that were
driven alike: 10.11.11 and 12.0.0 (its master of August 2026), with the webhook plugin 21.
"""

from dataclasses import dataclass
from typing import Self, override


@dataclass(frozen=True, order=True, slots=True)
class JellyfinVersion:
    """A version of the server."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the version that a text such as 10.11.11 names.

        Raises `ValueError` for anything else.
        """
        return cls(*(int(part) for part in text.split(".")))

    @override
    def __str__(self) -> str:
        """Return the version as the server tells it."""
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def series(self) -> str:
        """Return what all its patches share, as descriptions of the API are named by."""
        return f"{self.major}.{self.minor}"

    @property
    def _before_12(self) -> bool:
        return self < JELLYFIN_12_0

    # --- users ---------------------------------------------------------------------------

    @property
    def takes_older_authorization(self) -> bool:
        """Return whether X-Emby-Token, api_key and the like are understood."""
        return self._before_12

    # --- what users have seen ------------------------------------------------------------

    @property
    def forgets_at_start(self) -> bool:
        """Return whether what was seen is not seen any more once it is begun again."""
        return self._before_12

    @property
    def keeps_data_of_versions(self) -> bool:
        """Return whether each version has user data, and what is done to one toggles all.

        Otherwise whichever version plays, it is the first whose data is written.
        """
        return not self._before_12

    @property
    def groups_episodes(self) -> bool:
        """Return whether two files of an episode are versions, and not two episodes."""
        return not self._before_12

    @property
    def keeps_misread_dates(self) -> bool:
        """Return whether a local `datePlayed` is kept as if it were UTC.

        Otherwise it is kept right, and only the webhook of that mark tells it wrongly.
        """
        return self._before_12

    # --- playing -------------------------------------------------------------------------

    @property
    def stops_where_it_ran_to(self) -> bool:
        """Return where an idle session is stopped: at the position it ran on to by itself.

        Otherwise it is stopped at the last position that its client reported.
        """
        return self._before_12

    # --- the library -----------------------------------------------------------------------

    @property
    def seasons_are_folders(self) -> bool:
        """Return whether an episode's season is the one in whose folder its file lies."""
        return self._before_12

    @property
    def marks_folders_from_second_scan_on(self) -> bool:
        """Return whether a mark of a season or show marks nothing before that."""
        return self._before_12

    @property
    def announces_what_was_in_it(self) -> bool:
        """Return whether everything in what is removed is told of, and not it alone."""
        return not self._before_12


JELLYFIN_10_11 = JellyfinVersion(10, 11, 11)
JELLYFIN_12_0 = JellyfinVersion(12, 0)
JELLYFIN_VERSIONS = (JELLYFIN_10_11, JELLYFIN_12_0)
