"""Two servers to sign in to, and what those parts of the evening share that have to do with them."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Playable,
)
from tests.simulators.jellyfin_server import JellyfinStandIn
from tests.simulators.library import Library
from tests.simulators.plex_server import PlexStandIn

from .home_assistant import LiveHomeAssistant
from .report import Report

# Paper Orchard is on Plex alone.
ON_BOTH = (THE_SALT_ROAD, NINTH_MERIDIAN, LOW_WATER, FOG_SIGNAL, THE_PILOT_BOAT)

# Somebody else's, which must stay as they are. Nobody listens there.
OTHER_WEBHOOK = "http://127.0.0.1:9/somebody-else"


@dataclass(frozen=True, slots=True)
class StandIns:
    """The servers to sign in to."""

    plex: PlexStandIn
    jellyfin: JellyfinStandIn


@asynccontextmanager
async def stand_ins() -> AsyncIterator[StandIns]:
    """Run a Plex server, plex.tv, and a Jellyfin server."""
    async with (
        PlexStandIn(
            owner="alice",
            home=("dora",),
            name="Attic",
            library=Library(movies=200, episodes=1_000),
            titles=(*ON_BOTH, PAPER_ORCHARD),
        ) as plex,
        JellyfinStandIn(
            name="Boathouse",
            library=Library(movies=200, episodes=1_000),
            titles=ON_BOTH,
        ) as jellyfin,
    ):
        yield StandIns(plex, jellyfin)


class ServersDemo:
    """A part of the evening with servers that are signed in to."""

    def __init__(
        self, hass: LiveHomeAssistant, servers: StandIns, report: Report
    ) -> None:
        """Take the servers."""
        self.hass = hass
        self.plex = servers.plex
        self.jellyfin = servers.jellyfin
        self.report = report

    async def on_plex(
        self,
        act: Awaitable[list[Any]],
        title: Playable,
        expected: str = "updated",
        *,
        viewer: str | None = None,
    ) -> None:
        """Do something on Plex and check what our webhook answered."""
        for sent in await act:
            if sent.url != OTHER_WEBHOOK:
                self.check_answer(
                    "Plex",
                    sent.payload["Account"]["title"],
                    sent.payload["event"],
                    title,
                    sent.answer,
                    expected,
                    viewer,
                )

    async def on_jellyfin(
        self,
        act: Awaitable[list[Any]],
        title: Playable,
        expected: str = "updated",
        *,
        viewer: str | None = None,
    ) -> None:
        """Do something on Jellyfin and check what our webhook answered, the last time.

        Stopping sends two notifications, in an order of Jellyfin's own.
        """
        sent = [each for each in await act if each.url != OTHER_WEBHOOK]
        outcomes = [(each.answer or {}).get("outcome") for each in sent]
        best = expected if expected in outcomes else None
        for each, outcome in zip(sent, outcomes, strict=True):
            self.check_answer(
                "Jellyfin",
                each.json().get("NotificationUsername") or "-",
                each.event,
                title,
                each.answer or {},
                expected if best is None else str(outcome),
                viewer if outcome == expected else None,
            )
        if not sent:
            self.report.check(False, f"Nothing was sent of {title.label}")

    def check_answer(
        self,
        server: str,
        account: str,
        event: str,
        title: Playable,
        answer: Mapping[str, Any],
        expected: str,
        viewer: str | None,
    ) -> None:
        """Compare what a webhook was answered with what it should have been."""
        problems = []
        if answer.get("outcome") != expected:
            problems.append(f"{answer.get('outcome')} instead of {expected}")
        if viewer is not None and answer.get("viewers") != [viewer]:
            problems.append(f"for {answer.get('viewers')} instead of {viewer}")
        self.report.webhook(
            server,
            account,
            event,
            title.label,
            answer,
            f"{', '.join(problems)}; answered {answer}" if problems else None,
        )
