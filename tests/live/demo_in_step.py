"""In step: Jellyfin shows what was watched on Plex, and what nobody has told of is found.

Alice's account at Jellyfin follows her history: plays and removals arrive there, though the
server is down meanwhile, and none of that comes back as a play. A webhook goes astray, and
the play is found all the same. At last everything is compared, and the past is imported.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
import time
from typing import Any

from tests.simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    NINTH_MERIDIAN,
    THE_SALT_ROAD,
    Episode,
    Movie,
)
from tests.simulators.jellyfin import JellyfinUser
from tests.simulators.jellyfin_plugin import Delivery
from tests.simulators.jellyfin_user_data import UserData
from tests.simulators.plex_activity import HistoryEntry

from .demo_servers import OTHER_WEBHOOK, ServersDemo, StandIns
from .home_assistant import FlowStep, LiveHomeAssistant
from .report import DOMAIN, Report, walked
from .waiting import until

AWAY = "The server does not answer"
"""What Home Assistant says of a server that is down, as it should."""

# Nobody listens there.
_NOWHERE = "http://127.0.0.1:9"

# What was found is recorded only when its webhook has had its time.
_HEALED_WITHIN = 60

_EXACTLY = timedelta(seconds=1)

_VIEWERS = ("alice", "bob", "dora", "erik")

# What Alice had watched on servers before her account at Jellyfin followed.
_WATCHED_BEFORE = (THE_SALT_ROAD, NINTH_MERIDIAN, LOW_WATER, FOG_SIGNAL)


class InStepDemo(ServersDemo):
    """What becomes of Alice's history at Jellyfin, and of theirs in it."""

    def __init__(
        self,
        hass: LiveHomeAssistant,
        servers: StandIns,
        report: Report,
        viewers: Mapping[str, str],
        entries: Mapping[str, str],
        users: Mapping[str, JellyfinUser],
    ) -> None:
        """Take the entry ids of viewers and servers, and who is who on Jellyfin."""
        super().__init__(hass, servers, report)
        self.viewers = viewers
        self.entries = entries
        self.alice = users["alice"]
        self.erik = users["erik"]
        library = self.jellyfin.library
        # Not what others want or have watched.
        films = [film for film in library.movies[60:] if _has_all_ids(film)]
        self.film, self.lost_film, self.old_film, *self.films = films[:5]
        self.episode = next(
            episode
            for episode in library.episodes[200:]
            if _has_all_ids(episode)
            and _has_all_ids(episode.show)
            and episode.number_end is None
        )

    async def run(self) -> None:
        """Follow, take back, miss something, be away, compare and import."""
        await self.choose()
        await self.follow()
        await self.take_back()
        await self.lose_a_webhook()
        await self.go_away()
        await self.compare()
        await self.heal()
        await self.import_history()

    # Following

    async def choose(self) -> None:
        """Choose in Alice's options that her account at Jellyfin follows."""
        self.report.heading("Alice's account at Jellyfin is to follow")
        name = f"alice ({self.jellyfin.server.name})"

        def choice(step: FlowStep) -> Mapping[str, Any]:
            """Choose the account, for what is watched and for what is taken back."""
            keys = [
                key for key, label in step.options("following").items() if label == name
            ]
            return {"following": keys, "unfollowing": keys}

        steps = await self.hass.options_flow(
            self.viewers["alice"], {"next_step_id": "following"}, choice
        )
        offered = sorted(steps[1].options("following").values())
        self.report.check(
            steps[-1].type == "create_entry"
            and offered == sorted([f"alice ({self.plex.server.name})", name]),
            f"{name} is chosen, of {' and '.join(offered)}",
            f"{walked(steps)}, offered {offered}",
        )

    async def follow(self) -> None:
        """Watch a film on Plex: Jellyfin shows it as watched, and what it says is no play."""
        self.report.heading("Alice watches a film on Plex, and Jellyfin follows")
        before = await self.history("alice")
        sent = len(self.jellyfin.plugin.deliveries)
        await self.watch_on_plex(self.film)
        await self.check_watched(self.film)
        await self.check_echoes(sent, self.film, watched=True)
        await self.check_new(before, self.film)

    async def take_back(self) -> None:
        """Remove the play: Jellyfin shows the film as not watched, and nothing comes back."""
        self.report.heading("The play is removed, and Jellyfin follows")
        (play,) = await self.plays(self.film)
        before = [
            each
            for each in await self.history("alice")
            if each["play_id"] != play["play_id"]
        ]
        sent = len(self.jellyfin.plugin.deliveries)
        await self.hass.call_action(
            DOMAIN,
            "remove_play",
            {"viewer": self.viewers["alice"], "play_id": play["play_id"]},
        )

        async def unwatched() -> bool | None:
            data = self.data(self.film)
            return (not data.played and not data.count) or None

        self.report.check(
            await until(unwatched) is not None,
            f"{self.film.label} is not watched any more",
            f"{self.data(self.film)}",
        )
        await self.check_echoes(sent, self.film, watched=False)
        await self.check_new(before)

    async def go_away(self) -> None:
        """Stop Jellyfin, watch things, and start it: it hears of all of them, once."""
        self.report.heading("Jellyfin is stopped, Alice watches on Plex")
        titles = (self.films[0], self.episode, self.films[1])
        sent = len(self.jellyfin.plugin.deliveries)
        before = await self.history("alice")
        await self.jellyfin.stop()
        for title in titles:
            await self.watch_on_plex(title)

        async def missed() -> bool | None:
            connected = f"{self.jellyfin.server.name} Connected"
            states = (await self.hass.states()).values()
            return (
                any(
                    state["attributes"].get("friendly_name") == connected
                    and state["state"] == "off"
                    for state in states
                )
                or None
            )

        self.report.check(
            await until(missed) is not None
            and not any(self.data(title).played for title in titles),
            f"Jellyfin is missed, and knows of none of the {len(titles)}",
            f"{[self.data(title) for title in titles]}",
        )
        await self.jellyfin.start()
        # It is asked every few minutes whether it is back. This is for the impatient.
        began = time.monotonic()
        await self.hass.reload_entry(self.entries["jellyfin"])
        for title in titles:
            await self.check_watched(title)
        self.report.note(
            f"{time.monotonic() - began:.1f} s after Jellyfin is back, its entry reloaded"
        )
        await self.check_echoes(sent, *titles, watched=True)
        await self.check_new(before, *titles)

    # What goes astray

    async def lose_a_webhook(self) -> None:
        """Watch a film on Plex of which no webhook tells."""
        self.report.heading("A webhook of Plex goes astray")
        detours = self.plex.server.detours
        detours[self.hass.url] = _NOWHERE
        sent = [
            *await self.plex.play("alice", self.lost_film),
            *await self.plex.finish(),
            *await self.plex.stop(),
        ]
        del detours[self.hass.url]
        ours = [each for each in sent if each.url != OTHER_WEBHOOK]
        self.report.check(
            len(ours) == 3
            and all(each.status is None for each in ours)
            and not await self.plays(self.lost_film),
            f"{self.lost_film.label}: {len(ours)} webhooks, none of them here",
            f"{ours}",
        )
        # It is asked every so often what was watched, and at the start.
        await self.hass.reload_entry(self.entries["plex"])
        self.report.note("Plex's entry is reloaded, and its history looked at")

    async def heal(self) -> None:
        """See that what went astray has been found, and nothing else."""
        self.report.heading("What went astray is found in Plex's history")

        async def found() -> list[dict[str, Any]] | None:
            return await self.plays(self.lost_film) or None

        plays = await until(found, _HEALED_WITHIN) or []
        entry = self.plex_entry(self.lost_film)
        sources = [source["source"] for play in plays for source in play["sources"]]
        self.report.check(
            sources == ["server_history"]
            and abs(_watched_at(plays[0]) - _viewed_at(entry)) < _EXACTLY,
            f"{self.lost_film.label} is recorded, source: {', '.join(sources)}",
            f"{plays}, where Plex says {entry}",
        )
        await self.check_watched(self.lost_film)
        self.report.check(
            not await self.plays(self.film),
            f"{self.film.label}, which was removed, has not come back",
            f"{await self.plays(self.film)}",
        )

    # Everything at once

    async def compare(self) -> None:
        """Compare histories with Jellyfin, first without and then with consequences."""
        self.report.heading("Everything is compared: what was watched before, too")
        # By hand, of old, and no history knows of it.
        self.data(self.old_film).mark_played(
            datetime.now(UTC) - timedelta(days=30), datetime.now(UTC)
        )
        titles = sorted(title.title for title in _WATCHED_BEFORE)
        dry = await self.sync(dry_run=True, allow_mass_unwatch=True)
        self.report.check(
            dry["marked_watched"] == len(titles)
            and dry["marked_unwatched"] == 1
            and all(any(title in label for label in dry["watched"]) for title in titles)
            and dry["unwatched"] == [self.old_film.label],
            f"It would mark {', '.join(sorted(dry['watched']))}",
            f"{dry}",
        )
        self.report.check(
            not any(self.data(title).played for title in _WATCHED_BEFORE)
            and self.data(self.old_film).played,
            f"It would unmark {', '.join(dry['unwatched'])}, and has done nothing yet",
        )
        status, refusal = await self.hass.request(
            "POST",
            f"/api/services/{DOMAIN}/sync_jellyfin?return_response",
            {"viewer": self.viewers["alice"]},
        )
        self.report.check(
            status == 400 and self.data(self.old_film).played,
            f"Without leave it unmarks no such share: {_message(refusal)}",
            f"{status}: {refusal}",
        )
        done = await self.sync(allow_mass_unwatch=True)
        self.report.check(
            all(
                done[key] == dry[key]
                for key in ("marked_watched", "marked_unwatched", "unchanged")
            )
            and not done["failed"],
            f"Done: {_summary(done)}",
            f"{done} instead of {dry}",
        )
        for title in _WATCHED_BEFORE:
            await self.check_watched(title)
        self.report.check(
            not self.data(self.old_film).played,
            f"{self.old_film.label} is not watched any more",
            f"{self.data(self.old_film)}",
        )
        again = await self.sync()
        self.report.check(
            not any(
                again[key] for key in ("marked_watched", "marked_unwatched", "failed")
            ),
            f"Once more: {_summary(again)}",
            f"{again}",
        )

    async def sync(self, **options: bool) -> dict[str, Any]:
        """Compare Alice's history with Jellyfin; return the summary."""
        answer: dict[str, Any] = await self.hass.call_action(
            DOMAIN, "sync_jellyfin", {"viewer": self.viewers["alice"], **options}
        )
        return answer

    async def import_history(self) -> None:
        """Import what was watched long ago: once, and not a second time."""
        self.report.heading("The past is imported from both servers")
        yesterday = datetime.now(UTC) - timedelta(days=1)
        known = len(self.plex.server.history)
        self.plex.server.fill_history(
            24, [self.plex.owner], until=yesterday, every=timedelta(days=16)
        )
        self.jellyfin.seed_history(
            self.erik, 10, until=yesterday, every=timedelta(days=30)
        )
        past = [entry for entry in self.plex.server.history if entry.id > known]
        before = {name: await self.history(name) for name in ("alice", "erik")}
        sent = len(self.jellyfin.plugin.deliveries)
        first = await self.import_all()
        self.report.check(
            first["recorded"] == len(past) + 10,
            f"Imported: {_summary(first)}",
            f"{first}",
        )
        expected = sorted(entry.viewed_at for entry in past)
        times = await self.new_times("alice", before["alice"])
        self.report.check(
            times == expected,
            f"Alice has {len(times)} plays more, in summer and winter, to the second",
            f"{times} instead of {expected}",
        )
        titles = {play["title"] for play in await self.history("alice")}
        self.report.check(
            self.film.title not in titles,
            f"{self.film.label}, which was removed, has not come back",
        )
        times = await self.new_times("erik", before["erik"])
        self.report.check(
            len(times) == 10, f"Erik has {len(times)} plays more, from Jellyfin"
        )
        await self.sync()
        await self.check_past(past)
        await self.jellyfin.delivered()
        answers = {(each.answer or {}).get("outcome") for each in self.ours(sent)}
        self.report.check(
            answers == {"ignored"},
            f"What Jellyfin said of that has been {', '.join(map(str, answers))}",
        )
        histories = {name: await self.history(name) for name in _VIEWERS}
        again = await self.import_all()
        self.report.check(
            again["recorded"] == again["held"] == 0,
            f"Imported again: {_summary(again)}",
            f"{again}",
        )
        after = {name: await self.history(name) for name in _VIEWERS}
        self.report.check(
            after == histories,
            "Every history is what it was",
            "\n".join(
                f"{play}"
                for name in _VIEWERS
                for play in after[name]
                if play not in histories[name]
            ),
        )

    async def import_all(self) -> dict[str, Any]:
        """Import what all servers know of everybody; return the summary."""
        answer: dict[str, Any] = await self.hass.call_action(DOMAIN, "import_history")
        return answer

    async def new_times(
        self, viewer: str, before: Iterable[Mapping[str, Any]]
    ) -> list[int]:
        """Return when the plays were that a history did not have before, in seconds."""
        known = {play["play_id"] for play in before}
        return sorted(
            round(_watched_at(play).timestamp())
            for play in await self.history(viewer)
            if play["play_id"] not in known
        )

    async def check_past(self, past: Iterable[HistoryEntry]) -> None:
        """See that Jellyfin shows what was imported for Alice from Plex."""
        titles = {
            title: entry.viewed_at
            for entry in past
            if isinstance(
                title := self.plex.server.items.title(entry.item), Movie | Episode
            )
        }

        async def shown() -> bool | None:
            return (
                all(
                    data.played
                    and data.count == 1
                    and data.last_played is not None
                    and abs(data.last_played.timestamp() - at) < 1
                    for title, at in titles.items()
                    for data in [self.data(title)]
                )
                or None
            )

        self.report.check(
            await until(shown) is not None,
            f"Jellyfin shows the {len(titles)} as watched, each with its date and once",
            "\n".join(
                f"{title.label}: {self.data(title)}, Plex says {at}"
                for title, at in titles.items()
            ),
        )

    # Asking

    async def history(self, viewer: str, **filters: Any) -> list[dict[str, Any]]:
        """Return the plays of a viewer, newest first."""
        answer = await self.hass.call_action(
            DOMAIN,
            "get_history",
            {"viewer": self.viewers[viewer], "limit": 1_000, **filters},
        )
        plays: list[dict[str, Any]] = answer["plays"]
        return plays

    async def plays(self, title: Movie | Episode) -> list[dict[str, Any]]:
        """Return Alice's plays of a title."""
        return [
            play
            for play in await self.history("alice", query=title.title)
            if play["title"] == title.title
        ]

    def data(self, title: Movie | Episode) -> UserData:
        """Return what Jellyfin shows Alice of a title."""
        return self.jellyfin.data_of(self.alice, title)

    def plex_entry(self, title: Movie) -> HistoryEntry:
        """Return the last play of a title in Plex's own history."""
        item = self.plex.server.items.locate(title)
        return next(
            entry for entry in reversed(self.plex.server.history) if entry.item == item
        )

    def ours(self, since: int) -> list[Delivery]:
        """Return what Jellyfin has sent us, after so many webhooks to anybody."""
        return [
            each
            for each in self.jellyfin.plugin.deliveries[since:]
            if each.url != OTHER_WEBHOOK
        ]

    # Watching and checking

    async def watch_on_plex(self, title: Movie | Episode) -> None:
        """Watch something on Plex to its end, as Alice."""
        await self.on_plex(self.plex.play("alice", title), title)
        await self.on_plex(self.plex.finish(), title, "recorded", viewer="Alice")
        await self.on_plex(self.plex.stop(), title)

    async def check_watched(self, title: Movie | Episode) -> None:
        """See that Jellyfin shows a title as watched once, when the history says it was."""

        async def watched() -> bool | None:
            return self.data(title).played or None

        await until(watched)
        # Were it to be marked once more, it would be by now.
        await self.jellyfin.delivered()
        plays = await self.plays(title)
        data = self.data(title)
        at = data.last_played
        self.report.check(
            data.played
            and data.count == len(plays) == 1
            and at is not None
            and abs(at - _watched_at(plays[0])) < _EXACTLY,
            f"Jellyfin: {title.label}, watched {data.count} x, "
            f"at {at.astimezone() if at else None:%H:%M:%S}",
            f"{data}, where the history has {plays}",
        )

    async def check_echoes(
        self, since: int, *titles: Movie | Episode, watched: bool
    ) -> None:
        """Print what Jellyfin said of being marked; each was to be taken for no play."""
        await self.jellyfin.delivered()
        echoes = self.ours(since)
        labels = {
            self.jellyfin.items.id_of(title).replace("-", ""): title for title in titles
        }
        for each in echoes:
            content = each.json()
            title = labels.get(content["ItemId"].replace("-", ""), titles[0])
            self.check_answer(
                "Jellyfin",
                content.get("NotificationUsername") or "-",
                each.event,
                title,
                each.answer or {},
                "ignored",
                None,
            )
        told = [each.json()["Played"] for each in echoes]
        self.report.check(
            told == [watched] * len(titles),
            f"That was {'once' if len(titles) == 1 else 'once each'}",
            f"{told}",
        )

    async def check_new(
        self, before: Iterable[Mapping[str, Any]], *titles: Movie | Episode
    ) -> None:
        """See that a history has nothing more than it had, but for some titles."""
        known = {play["play_id"] for play in before}
        plays = await self.history("alice")
        more = [play["title"] for play in plays if play["play_id"] not in known]
        self.report.check(
            sorted(more) == sorted(title.title for title in titles)
            and known <= {play["play_id"] for play in plays},
            f"The history has {len(titles) or 'nothing'} more, and lacks nothing",
            f"{more}",
        )


def _has_all_ids(title: Any) -> bool:
    """Return whether every database has a title."""
    ids = title.ids
    return None not in (ids.tmdb, ids.imdb, ids.tvdb)


def _watched_at(play: Mapping[str, Any]) -> datetime:
    """Return when a play was."""
    return datetime.fromisoformat(play["watched_at"])


def _viewed_at(entry: HistoryEntry) -> datetime:
    """Return when a play was, by Plex."""
    return datetime.fromtimestamp(entry.viewed_at, UTC)


def _summary(answer: Mapping[str, Any]) -> str:
    """Return the numbers of an answer, in words."""
    return ", ".join(
        f"{value} {key.replace('_', ' ')}"
        for key, value in answer.items()
        if isinstance(value, int)
    )


def _message(answer: Any) -> str:
    """Return what an error says."""
    return str(answer.get("message", answer)) if isinstance(answer, dict) else answer
