"""The second half of the evening: two servers that are signed in to.

The stand-ins are servers with an API here, and plex.tv with them. Home Assistant signs in as
a person does, registers its webhooks by itself, completes what they leave out, knows what the
servers hold, has Jellyfin follow, and takes everything back when they are removed.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import timedelta
import json
from typing import Any

from tests.simulators.catalogue import (
    FOG_SIGNAL,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    Episode,
    Playable,
)
from tests.simulators.plex import LIVING_ROOM_TV

from .demo_in_step import InStepDemo
from .demo_library import LibraryDemo
from .demo_servers import OTHER_WEBHOOK, ServersDemo, StandIns
from .home_assistant import FlowStep, LiveHomeAssistant, LiveHomeAssistantError
from .report import DOMAIN, Report, walked
from .waiting import until

PASSWORD = "correct horse"

# What Home Assistant says of a server whose token has been revoked, as it should.
REFUSED = "could not authenticate"


class SignInDemo(ServersDemo):
    """The half of the evening for which somebody signs in."""

    def __init__(
        self, hass: LiveHomeAssistant, servers: StandIns, report: Report
    ) -> None:
        """Prepare the people, and what others have registered before us."""
        super().__init__(hass, servers, report)
        self.servers = servers
        self.bob = self.jellyfin.add_user("bob", PASSWORD, administrator=True)
        self.erik = self.jellyfin.add_user("erik", PASSWORD)
        self.alice = self.jellyfin.add_user("alice", PASSWORD)
        self.plex.owner.webhooks.append(OTHER_WEBHOOK)
        self.jellyfin.plugin.add_generic(OTHER_WEBHOOK, ["PlaybackStart"])
        self.other_destinations = deepcopy(self.jellyfin.plugin.generic)
        self.entries: dict[str, str] = {}
        self.viewers: dict[str, str] = {}

    async def run(self) -> None:
        """Sign in, watch, want things, be in step, be signed out and in, remove the servers."""
        before = [entry["title"] for entry in await self.hass.entries(DOMAIN)]
        await self.sign_in_to_plex()
        await self.sign_in_to_jellyfin()
        await self.check_viewers(before)
        await self.check_webhooks()
        await self.watch_on_plex()
        await self.watch_on_jellyfin()
        await LibraryDemo(
            self.hass, self.servers, self.report, self.viewers["alice"], self.alice
        ).run()
        await InStepDemo(
            self.hass,
            self.servers,
            self.report,
            self.viewers,
            self.entries,
            {"alice": self.alice, "erik": self.erik},
        ).run()
        secrets = await self.secrets()
        await self.heal_plex()
        await self.heal_jellyfin()
        secrets |= await self.secrets()
        await self.remove_servers()
        self.check_log(secrets)

    # Signing in

    async def sign_in_to_plex(self) -> None:
        """Sign in by PIN: plex.tv confirms, and the flow goes on by itself."""
        self.report.heading("Signing in to Plex, at plex.tv")
        steps = await self.hass.flow(
            DOMAIN, {"next_step_id": "plex"}, {"next_step_id": "plex_sign_in"}
        )
        steps.append(await self.confirm_at_plex_tv(steps[-1]))
        steps += await self.finish_server(steps[-1], "alice", "dora")
        self.check_server("plex", steps, "webhook", "accounts")

    async def sign_in_to_jellyfin(self) -> None:
        """Sign in by Quick Connect: the code is entered in Jellyfin."""
        self.report.heading("Signing in to Jellyfin, by Quick Connect")
        steps = await self.hass.flow(
            DOMAIN,
            {"next_step_id": "jellyfin"},
            {"next_step_id": "jellyfin_quick_connect"},
            {"url": self.jellyfin.url, "verify_ssl": True},
        )
        steps.append(await self.enter_code(steps[-1]))
        steps += await self.finish_server(steps[-1], "alice", "bob", "erik")
        self.check_server("jellyfin", steps, "webhook", "accounts")

    async def confirm_at_plex_tv(self, step: FlowStep) -> FlowStep:
        """Visit the page that the flow sends one to, and confirm there."""
        url = str(step.placeholders.get("url", ""))
        self.report.check(
            step.type == "progress" and url.startswith("https://app.plex.tv/auth"),
            f"Sent to {url.partition('?')[0]}",
            f"{step}",
        )
        return await self.hass.progress_flow(
            step.flow_id, lambda: self.plex.tv.visit(url, self.plex.owner)
        )

    async def enter_code(self, step: FlowStep) -> FlowStep:
        """Enter the code that the flow shows, in Jellyfin."""
        code = str(step.placeholders.get("code", ""))
        self.report.check(
            step.type == "progress" and code.isdigit(),
            f"The code {code} is shown, and entered in Jellyfin",
            f"{step}",
        )
        return await self.hass.progress_flow(
            step.flow_id, lambda: self.jellyfin.authorize_quick_connect(code, self.bob)
        )

    async def finish_server(self, step: FlowStep, *names: str) -> list[FlowStep]:
        """Answer what a flow asks once somebody has signed in."""
        return (
            await self.hass.continue_flow(
                step.flow_id, {"local_only": True}, _accounts(names)
            )
        )[1:]

    def check_server(self, kind: str, steps: list[FlowStep], *last: str) -> None:
        """See that a flow has led to a server."""
        entry = steps[-1].entry
        self.report.check(
            tuple(step.step_id for step in steps[-3:-1]) == last and entry is not None,
            f"{entry['title'] if entry else kind}: signed in, accounts chosen",
            walked(steps),
        )
        if entry is None:
            raise LiveHomeAssistantError(f"No {kind} server was added")
        self.entries[kind] = entry["entry_id"]

    async def check_viewers(self, before: Iterable[str]) -> None:
        """See that every account chosen is a viewer, or joined the one of its name."""
        self.report.heading("The accounts that were chosen")
        expected = sorted([*before, "Attic", "Boathouse", "dora", "erik"])

        async def titles() -> list[str] | None:
            entries = await self.hass.entries(DOMAIN)
            found = sorted(entry["title"] for entry in entries)
            return found if len(found) >= len(expected) else None

        found = await until(titles)
        self.report.check(
            found == expected,
            "Alice and Bob were viewers already, Dora and Erik are new ones",
            f"{found} instead of {expected}",
        )
        self.viewers = {
            entry["title"].casefold(): entry["entry_id"]
            for entry in await self.hass.entries(DOMAIN)
        }

    async def check_webhooks(self) -> None:
        """See that both servers know our webhook, and still those of others."""
        self.report.heading("The webhooks, which nobody has pasted")

        async def registered() -> bool | None:
            done = len(self.plex.owner.webhooks) > 1 and len(self.destinations) > 1
            return done or None

        await until(registered)
        webhooks = self.plex.owner.webhooks
        self.report.check(
            len(webhooks) == 2
            and webhooks[0] == OTHER_WEBHOOK
            and webhooks[1].startswith(f"{self.hass.url}/api/webhook/"),
            "Plex: ours has been added to that of somebody else",
            f"{webhooks}",
        )
        ours = self.destinations[1:]
        self.report.check(
            self.destinations[:1] == self.other_destinations
            and len(ours) == 1
            and ours[0]["WebhookUri"].startswith(f"{self.hass.url}/api/webhook/"),
            "Jellyfin: ours has been added to the plugin's, the other is unchanged",
            f"{self.destinations}",
        )

    @property
    def destinations(self) -> list[dict[str, Any]]:
        """Return where Jellyfin's plugin sends to."""
        return self.jellyfin.plugin.generic

    # Watching

    async def watch_on_plex(self) -> None:
        """Watch a film and an episode: what plays is shown, what was seen recorded."""
        self.report.heading("Alice watches on Plex")
        position = timedelta(minutes=31)
        await self.on_plex(
            self.plex.play("alice", FOG_SIGNAL, position=position), FOG_SIGNAL
        )
        await self.check_player(LIVING_ROOM_TV.title, FOG_SIGNAL, position)
        await self.on_plex(self.plex.finish(), FOG_SIGNAL, "recorded", viewer="Alice")
        await self.on_plex(self.plex.stop(), FOG_SIGNAL)
        await self.check_completed("alice", FOG_SIGNAL)
        self.report.heading("Dora watches on Plex")
        await self.on_plex(self.plex.play("dora", PAPER_ORCHARD), PAPER_ORCHARD)
        await self.on_plex(self.plex.finish(), PAPER_ORCHARD, "recorded", viewer="dora")
        await self.on_plex(self.plex.stop(), PAPER_ORCHARD)

    async def watch_on_jellyfin(self) -> None:
        """Do the same on Jellyfin."""
        self.report.heading("Erik watches on Jellyfin")
        position = timedelta(minutes=12)
        player = self.jellyfin.server.device.name
        await self.on_jellyfin(
            self.jellyfin.play(THE_PILOT_BOAT, self.erik, position=position),
            THE_PILOT_BOAT,
        )
        await self.check_player(player, THE_PILOT_BOAT, position)
        await self.on_jellyfin(
            self.jellyfin.finish(), THE_PILOT_BOAT, "recorded", viewer="erik"
        )
        await self.check_completed("erik", THE_PILOT_BOAT)
        self.report.heading("Bob marks a film as watched, on Jellyfin")
        await self.on_jellyfin(
            self.jellyfin.mark_played(NINTH_MERIDIAN, self.bob),
            NINTH_MERIDIAN,
            "recorded",
            viewer="Bob",
        )

    async def check_player(
        self, player: str, title: Playable, position: timedelta
    ) -> None:
        """See that a player shows what the server says of it, with the poster."""

        async def shown() -> dict[str, Any] | None:
            for state in (await self.hass.states()).values():
                attributes: dict[str, Any] = state["attributes"]
                if (
                    state["entity_id"].startswith("media_player.")
                    and attributes.get("friendly_name") == player
                    and attributes.get("media_title") == title.title
                    and attributes.get("media_position") is not None
                    and attributes.get("entity_picture")
                ):
                    return {**attributes, "state": state["state"]}
            return None

        attributes = await until(shown) or {}
        seconds = attributes.get("media_position", -1)
        off = abs(seconds - position.total_seconds())
        self.report.check(
            attributes.get("state") == "playing"
            and off < 30
            and attributes.get("media_duration") == title.runtime.total_seconds(),
            f"{player} shows it, at {timedelta(seconds=seconds)}",
            f"{attributes}",
        )
        picture = f"{self.hass.url}{attributes.get('entity_picture', '')}"
        async with self.hass.session.get(picture) as response:
            body = await response.read()
            self.report.check(
                response.status == 200 and body.startswith(b"\xff\xd8"),
                f"{player} shows the poster ({len(body)} bytes)",
                f"{picture} answers {response.status}",
            )

    async def check_completed(self, viewer: str, episode: Episode) -> None:
        """See that a play gets what no webhook says: the ids of the series."""
        expected = dict(episode.show.ids.items())

        async def completed() -> dict[str, Any] | None:
            plays = await self.history(viewer, query=episode.title)
            known = plays[0].get("show_ids", {}) if len(plays) == 1 else {}
            return known if "tmdb" in known else None

        known = await until(completed) or {}
        self.report.check(
            all(str(known.get(name)) == str(value) for name, value in expected.items()),
            f"{episode.show.title}: the server was asked for the series' ids",
            f"{known} instead of {expected}",
        )

    async def history(self, viewer: str, **filters: Any) -> list[dict[str, Any]]:
        """Return the plays of a viewer, newest first."""
        answer = await self.hass.call_action(
            DOMAIN, "get_history", {"viewer": self.viewers[viewer], **filters}
        )
        plays: list[dict[str, Any]] = answer["plays"]
        return plays

    async def watchlist(self, viewer: str) -> list[str]:
        """Return the titles that a viewer wants to watch, in their order."""
        answer = await self.hass.call_action(
            DOMAIN, "get_watchlist", {"viewer": self.viewers[viewer]}
        )
        return [item["title"] for item in answer["items"]]

    # Signed out, and in again

    async def heal_plex(self) -> None:
        """Revoke Plex's tokens; plays go on being recorded, and signing in completes."""
        self.report.heading("Alice signs all devices out, at plex.tv")
        self.plex.revoke("alice")
        menu = await self.refused("plex")
        await self.on_plex(self.plex.play("dora", THE_PILOT_BOAT), THE_PILOT_BOAT)
        await self.on_plex(
            self.plex.finish(), THE_PILOT_BOAT, "recorded", viewer="dora"
        )
        await self.on_plex(self.plex.stop(), THE_PILOT_BOAT)
        steps = await self.hass.continue_flow(
            menu.flow_id, {"next_step_id": "plex_sign_in"}
        )
        steps.append(await self.confirm_at_plex_tv(steps[-1]))
        await self.healed("plex", steps)
        await self.check_completed("dora", THE_PILOT_BOAT)

    async def heal_jellyfin(self) -> None:
        """Revoke Jellyfin's token, and sign in with the password."""
        self.report.heading("Bob's password is changed in Jellyfin")
        self.jellyfin.revoke_tokens(self.bob)
        menu = await self.refused("jellyfin")
        steps = await self.hass.continue_flow(
            menu.flow_id,
            {"next_step_id": "jellyfin_password"},
            {
                "url": self.jellyfin.url,
                "username": self.bob.name,
                "password": PASSWORD,
                "verify_ssl": True,
            },
        )
        await self.healed("jellyfin", steps)

    async def refused(self, kind: str) -> FlowStep:
        """Let Home Assistant find out, and return the flow that it offers then."""
        entry_id = self.entries[kind]
        await self.hass.reload_entry(entry_id)

        async def offered() -> dict[str, Any] | None:
            for flow in await self.hass.discovered(DOMAIN):
                if flow["context"].get("entry_id") == entry_id:
                    return flow
            return None

        flow = await until(offered)
        self.report.check(
            flow is not None
            and flow["context"]["source"] == "reauth"
            and flow["step_id"] == "reauth_confirm",
            "Home Assistant asks to sign in again",
            f"{flow}",
        )
        if flow is None:
            raise LiveHomeAssistantError(f"Nobody asks to sign in to {kind} again")
        return (await self.hass.continue_flow(flow["flow_id"]))[0]

    async def healed(self, kind: str, steps: list[FlowStep]) -> None:
        """See that a server is there again, as the entry that it was."""
        entry_id = self.entries[kind]

        async def loaded() -> bool | None:
            return await self.state_of(entry_id) == "loaded" or None

        good = await until(loaded)
        self.report.check(
            steps[-1].reason == "reauth_successful" and good is not None,
            "Signed in again",
            f"{walked(steps)}; it is {await self.state_of(entry_id)}",
        )
        webhooks = len(self.plex.owner.webhooks), len(self.destinations)
        self.report.check(
            webhooks == (2, 2), "Its webhook is there once", f"there are {webhooks}"
        )

    async def state_of(self, entry_id: str) -> str | None:
        """Return what has become of an entry."""
        for entry in await self.hass.entries(DOMAIN):
            if entry["entry_id"] == entry_id:
                return str(entry["state"])
        return None

    # The end

    async def remove_servers(self) -> None:
        """Remove both, and see that they know nothing of us any more."""
        self.report.heading("The servers are removed")
        before = {name: await self.history(name) for name in self.names}
        wanted = await self.watchlist("alice")
        for entry_id in self.entries.values():
            await self.hass.delete_entry(entry_id)
        self.report.check(
            self.plex.owner.webhooks == [OTHER_WEBHOOK],
            "Plex: our webhook is gone, that of somebody else is not",
            f"{self.plex.owner.webhooks}",
        )
        self.report.check(
            self.destinations == self.other_destinations,
            "Jellyfin: our webhook is gone, that of somebody else is not",
            f"{self.destinations}",
        )
        tokens = [token.device.name for token in self.jellyfin.accounts.tokens.values()]
        self.report.check(not tokens, "Jellyfin: signed out", f"still in: {tokens}")
        after = {name: await self.history(name) for name in self.names}
        plays = sum(len(plays) for plays in after.values())
        self.report.check(
            after == before and plays > 0,
            f"Histories stay, with {plays} plays",
            f"{before} before, {after} after",
        )
        left = await self.watchlist("alice")
        self.report.check(
            left == wanted and len(left) > 0,
            f"Alice's watchlist stays, with {len(left)} titles",
            f"{wanted} before, {left} after",
        )

    async def secrets(self) -> set[str]:
        """Return what of the entries nobody else may know."""
        await self.hass.entries_on_disk(set(self.entries.values()))
        file = self.hass.folder / ".storage" / "core.config_entries"
        content = json.loads(await asyncio.to_thread(file.read_bytes))
        return {
            entry["data"][key]
            for entry in content["data"]["entries"]
            if entry["entry_id"] in self.entries.values()
            for key in ("webhook_id", "token", "account_token")
            if key in entry["data"]
        }

    def check_log(self, secrets: set[str]) -> None:
        """See that no secret has been written down."""
        log = self.hass.log_text()
        told = [line for line in log.splitlines() if any(map(line.count, secrets))]
        self.report.check(
            len(secrets) > 3 and not told,
            "No token and no webhook's URL is in the log",
            "\n".join(told) or f"only {len(secrets)} secrets",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Return who has watched."""
        return "alice", "bob", "dora", "erik"


def _accounts(names: Iterable[str]) -> Callable[[FlowStep], Mapping[str, Any]]:
    """Return what chooses the accounts that bear some names."""

    def fill_in(step: FlowStep) -> Mapping[str, Any]:
        """Fill in the form."""
        return {
            "accounts": [
                key
                for key, label in step.options("accounts").items()
                if label.casefold() in names
            ]
        }

    return fill_in
