"""Home Assistant's own pages in a real browser, as somebody meets them who is new to this.

Servers and viewers are set up by clicking, and everything there is to see of them is looked
at: what counts as seen is text that is visible on the page. Every step leaves a picture.

    python -m tests.live.browser                      pictures go to a new folder
    python -m tests.live.browser --screenshots DIR    pictures go there

Chromium comes from PATH. It reaches this Home Assistant and nothing else.
"""

import argparse
import asyncio
from pathlib import Path
import re
import signal
import sys
import tempfile
import time
from typing import Any

from playwright.async_api import Error as PlaywrightError, Page, expect

from tests.simulators.catalogue import (
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_SALT_ROAD,
    Title,
    stable_hex,
)
from tests.simulators.jellyfin_server import JellyfinStandIn
from tests.simulators.library import Library
from tests.simulators.plex import PlexAccount, PlexEvent, PlexPlayer, PlexServer
from tests.simulators.plex_server import PlexStandIn
from tests.texts import text

from .browser_pages import (
    NAME,
    Album,
    BrowserError,
    Pages,
    browser_page,
    entity_name,
    event_name,
    short,
)
from .browser_watchlist import WatchlistWalk
from .demo import ALICE_AT_PLEX, CAROL_AT_PLEX, CAROLS_PHONE
from .home_assistant import LiveHomeAssistant, LiveHomeAssistantError
from .report import DOMAIN, Report
from .waiting import until

BOB_AT_PLEX = PlexAccount.home_user("bob")
BOBS_TABLET = PlexPlayer("Bob's tablet", "51f0c6de8b7a4932")

SERVER = "Living room server"
VIEWER = "Alice"
PERSON = "Demo"
ALICE_LABEL = f"{ALICE_AT_PLEX.title} ({SERVER})"
BOB_LABEL = f"{BOB_AT_PLEX.title} ({SERVER})"
CAROL_LABEL = f"{CAROL_AT_PLEX.title} ({SERVER})"


class Walk(Pages):
    """The way through the pages."""

    def __init__(
        self,
        hass: LiveHomeAssistant,
        page: Page,
        report: Report,
        album: Album,
        plex_tv: PlexStandIn,
        jellyfin_server: JellyfinStandIn,
    ) -> None:
        """Start before the login page."""
        super().__init__(hass, page, report, album)
        self.plex_tv = plex_tv
        self.jellyfin_server = jellyfin_server
        self.olga = jellyfin_server.add_user("Olga", administrator=True)
        self.erik = jellyfin_server.add_user("Erik")
        jellyfin_server.add_user("Guest room")
        self.url = ""
        self.plex = PlexServer(
            name=SERVER,
            uuid=stable_hex("plex server", length=40),
            owner=ALICE_AT_PLEX,
        )

    async def run(self) -> None:
        """Walk, and stop where the way ends before it should."""
        heading = "Nowhere"
        watchlist = WatchlistWalk(
            self.hass,
            self.page,
            self.report,
            self.album,
            viewer=VIEWER,
            server=SERVER,
            plex=self.plex_tv,
            jellyfin=self.jellyfin_server,
        )
        try:
            for heading, part in (
                ("Signing in", self.sign_in),
                ("Adding a Plex server", self.add_server),
                ("A name that is taken, and a Jellyfin server", self.jellyfin),
                ("Everybody plays something", self.everybody_plays),
                ("Adding a viewer", self.add_viewer),
                ("Linking a discovered account", self.link_guest),
                ("The viewer's options", self.viewer_options),
                ("The server's options", self.server_options),
                ("Reconfiguring the server", self.reconfigure_server),
                ("Reconfiguring the viewer", self.reconfigure_viewer),
                ("What the viewer watched", self.viewer_device),
                ("The media players", self.media_players),
                ("The server", self.server_device),
                ("The calendar", self.calendar),
                ("Actions", self.actions),
                ("Signing in to a Jellyfin server", self.quick_connect),
                ("What those watch who were chosen there", self.chosen_viewers),
                *watchlist.parts,
                ("The log", self.log),
                ("A history that cannot be read", self.repair),
            ):
                self.report.heading(heading)
                await part()
        except (AssertionError, PlaywrightError, BrowserError) as err:
            picture = await self.picture_of_failure()
            self.report.check(
                False,
                heading,
                f"{short(err)}\n         at {self.page.url}, see {picture}",
            )

    # The parts of the way

    async def sign_in(self) -> None:
        """Go through the login page."""
        page = self.page
        await page.goto(self.hass.url)
        await page.get_by_role("textbox", name="Username").fill(self.hass.username)
        await page.get_by_role("textbox", name="Password").fill(self.hass.password)
        await self.picture("Login page")
        await page.get_by_role("button", name="Log in").click()
        await self.see(page, "Overview")
        await self.picture("Signed in")

    async def add_server(self) -> None:
        """Add a Plex server and read its URL."""
        page, flow = self.page, self.flow
        await self.open_integrations()
        await page.get_by_role("button", name="Add integration").click()
        dialog = page.locator("dialog-add-integration")
        await dialog.get_by_placeholder("Search for a brand name").fill(NAME)
        brand = dialog.get_by_role("button", name=NAME)
        await self.see_picture(brand.locator("img"))
        await self.picture("Found among the integrations")
        await brand.click()

        await self.see_step("user")
        await self.picture("Server or viewer")
        await self.choose("user", "plex")
        await self.see_step("plex")
        await self.picture("Ways to add a Plex server")
        await self.choose("plex", "plex_webhook_only")
        await self.see_step("plex_webhook_only")
        await self.fill("config", "plex_webhook_only", "name", SERVER)
        await self.picture("Its name")
        await self.submit("Next")
        self.url = await self.read_url()
        await self.see_step("webhook", "local_only")
        await self.see_instructions("plex")
        await self.picture("Its URL")
        await self.submit()
        await self.see(flow, "Plex Media Server")
        await self.picture("It is added")
        await flow.get_by_role("button", name="Skip and finish").click()
        await self.flow_is_over()
        await self.see(
            page, "Plex Media Server", entity_name("sensor", "last_webhook"), "Unknown"
        )
        await self.picture("The new server's page")

    async def jellyfin(self) -> None:
        """See a name refused, and what there is to do in Jellyfin; then leave it."""
        await self.open_integration()
        await self.page.get_by_role("button", name="Add service").click()
        await self.see_step("user")
        await self.choose("user", "jellyfin")
        await self.see_step("jellyfin")
        await self.choose("jellyfin", "jellyfin_webhook_only")
        await self.see_step("jellyfin_webhook_only")
        await self.fill("config", "jellyfin_webhook_only", "name", SERVER.upper())
        await self.submit("Next")
        await self.see(self.flow, text("config", "error", "name_taken"))
        await self.picture("The name is taken")
        await self.fill("config", "jellyfin_webhook_only", "name", "The loft")
        await self.submit("Next")
        await self.read_url()
        await self.see_step("webhook", "local_only")
        await self.see_instructions("jellyfin")
        await self.picture("What to do in Jellyfin")
        await self.close_flow()

    async def everybody_plays(self) -> None:
        """Make three accounts known, and complete a film with one of them."""
        await self.send(PlexEvent.PLAY, THE_SALT_ROAD, "updated")
        await self.send(
            PlexEvent.PLAY, LOW_WATER, "updated", BOB_AT_PLEX, player=BOBS_TABLET
        )
        await self.send(
            PlexEvent.SCROBBLE,
            PAPER_ORCHARD,
            "held",
            CAROL_AT_PLEX,
            player=CAROLS_PHONE,
        )
        await self.open_integrations()
        for label in (ALICE_LABEL, BOB_LABEL, CAROL_LABEL):
            card = self.page.locator("ha-config-flow-card", has_text=label)
            await self.see(card, NAME, "Ignore", "Add")
            await self.see_picture(card.locator("img"))
        await self.see_picture(
            self.page.get_by_role("link", name=NAME).locator("img").first
        )
        await self.picture("Discovered accounts")

    async def add_viewer(self) -> None:
        """Add a viewer, with the account chosen by its label."""
        page, flow = self.page, self.flow
        await self.open_integration()
        await self.see(page, SERVER, BOBS_TABLET.title, self.plex.player.title)
        await self.picture("The integration's page")
        await page.get_by_role("button", name="Add service").click()
        dialog = page.locator("dialog-add-integration")
        await self.see(dialog, ALICE_LABEL)
        await self.picture("Discovered accounts are offered first")
        await dialog.get_by_text(f"Set up another instance of {NAME}").click()
        await self.choose("user", "viewer")
        await self.see_step("viewer", "name", "person", "accounts")
        await self.picture("Who watches")
        await self.fill("config", "viewer", "name", VIEWER)
        await flow.get_by_role("button", name="Person").click()
        await flow.get_by_role("option").filter(has_text=PERSON).click()
        await expect(
            flow.get_by_role("button", name=f"Person {PERSON}")
        ).to_be_visible()
        await self.tick(ALICE_LABEL)
        await expect(self.box("config", "viewer", "name")).to_have_value(VIEWER)
        await self.picture("The form for a viewer, filled in")
        await self.submit()
        await self.see(flow, "Viewer")
        await flow.get_by_role("button", name="Skip and finish").click()
        await self.flow_is_over()
        await self.see(page, entity_name("sensor", "plays_today"), "0 plays")
        await self.picture("The new viewer's page")

    async def link_guest(self) -> None:
        """Link the account of the guest to the viewer: the play that waits is theirs."""
        page, flow = self.page, self.flow
        await self.open_integrations()
        card = page.locator("ha-config-flow-card", has_text=CAROL_LABEL)
        await self.see(card, "Add")
        await expect(
            page.locator("ha-config-flow-card", has_text=ALICE_LABEL)
        ).to_have_count(0)
        await self.picture("The guest is left")
        await card.get_by_role("button", name="Add").click()
        await self.see_step("confirm_account", "viewer", "name")
        await self.see(
            flow,
            CAROL_LABEL,
            text("selector", "confirm_account", "options", "new"),
            VIEWER,
        )
        await self.picture("Whose account this is")
        await flow.get_by_role("radio", name=VIEWER).click()
        await expect(flow.get_by_role("radio", name=VIEWER)).to_be_checked()
        await self.submit()
        linked = text("config", "abort", "account_linked").format(viewer=VIEWER)
        await self.see(flow, linked)
        await self.picture("It is linked")
        await self.close_flow()
        await self.open_device(VIEWER, "Viewer")
        await self.see(page, PAPER_ORCHARD.label, "Watched")
        await self.picture("The film that waited")

    async def viewer_options(self) -> None:
        """Switch music off, and keep the watchlist at Plex in step."""
        await self.open_options(VIEWER)
        await self.see_options("init", without={"following", "plex_sign_out"})
        await self.picture("What there is to change of the viewer")
        await self.choose("init", "settings", "options")
        # It could count for other viewers as well, but there are none.
        for field in text("options", "step", "settings", "data").keys() - {"also_for"}:
            await self.see_field("options", "settings", field)
        kinds = text("selector", "media_types", "options")
        await self.see(self.flow, kinds["movie"], kinds["episode"], kinds["track"])
        await self.tick(kinds["track"], checked=False)
        await self.tick(text("options", "step", "settings", "data", "both_ways"))
        await self.picture("What to record of the viewer")
        await self.submit()
        await self.see(self.flow, "Options successfully saved.")
        await self.close_flow()
        await self.send(PlexEvent.SCROBBLE, SLOW_FERRY, "ignored")

    async def server_options(self) -> None:
        """See what the first webhook has filled in, and which players there are."""
        flow = self.flow
        await self.open_options(SERVER)
        for field in ("servers", "players"):
            await self.see_field("options", "init", field)
        await self.see(flow, f"{SERVER} ({self.plex.uuid})")
        await self.picture("Which servers and players count")
        await flow.get_by_role("button", name="Add").last.click()
        for player in (self.plex.player, BOBS_TABLET):
            await expect(
                flow.get_by_role("option").filter(has_text=player.title)
            ).to_be_visible()
        await self.picture("The players to choose from")
        await self.page.keyboard.press("Escape")
        await expect(flow.get_by_role("option")).to_have_count(0)
        await self.submit()
        await self.see(flow, "Options successfully saved.")
        await self.close_flow()

    async def reconfigure_server(self) -> None:
        """Find the URL again, and make a new one: the old one must be of no use then."""
        await self.open_menu(SERVER, "Reconfigure")
        for field in ("name", "local_only", "new_url"):
            await self.see_field("config", "reconfigure", field)
        await expect(self.box("config", "reconfigure", "name")).to_have_value(SERVER)
        if await self.read_url() != self.url:
            raise BrowserError(f"Another URL is shown than {self.url}")
        await self.see_instructions("plex")
        await self.picture("The server's URL again")
        await self.tick(text("config", "step", "reconfigure", "data", "new_url"))
        await self.submit()
        await self.see_step("webhook", "local_only")
        old, self.url = self.url, await self.read_url()
        if old == self.url:
            raise BrowserError(f"The URL is still {old}")
        await self.picture("The server's new URL")
        await self.submit()
        await self.see(self.flow, "Reconfiguration was successful")
        await self.close_flow()
        await self.send(PlexEvent.PLAY, THE_SALT_ROAD, None, url=old)
        await self.send(PlexEvent.PLAY, THE_SALT_ROAD, "updated")

    async def reconfigure_viewer(self) -> None:
        """See the accounts that were linked."""
        flow = self.flow
        await self.open_menu(VIEWER, "Reconfigure")
        for field in ("name", "person", "accounts"):
            await self.see_field("config", "reconfigure", field)
        await expect(self.box("config", "reconfigure", "name")).to_have_value(VIEWER)
        for label, linked in (
            (ALICE_LABEL, True),
            (BOB_LABEL, False),
            (CAROL_LABEL, True),
        ):
            await expect(flow.get_by_role("checkbox", name=label)).to_be_checked(
                checked=linked
            )
        await self.picture("The viewer's accounts")
        await self.submit()
        await self.see(flow, "Reconfiguration was successful")
        await self.picture("Reconfigured")
        await self.close_flow()

    async def viewer_device(self) -> None:
        """See what is known of the viewer after an evening."""
        page = self.page
        await self.send(PlexEvent.SCROBBLE, LOW_WATER, "recorded")
        await self.send(PlexEvent.PLAY, THE_SALT_ROAD, "updated")
        await self.send(PlexEvent.SCROBBLE, THE_SALT_ROAD, "recorded")
        await self.send(PlexEvent.RATE, THE_SALT_ROAD, "updated", rating=8.0)
        await self.open_device(VIEWER, "Viewer")
        await self.see(
            page,
            *(
                entity_name("sensor", key)
                for key in (
                    "last_watched",
                    "plays_today",
                    "plays_this_week",
                    "watch_time_today",
                    "movies",
                    "episodes",
                    "tracks",
                )
            ),
            entity_name("calendar", "history"),
            entity_name("image", "poster"),
            THE_SALT_ROAD.label,
            "2 plays",
            "3 plays",
            event_name("watching", "rated"),
        )
        await self.picture("The viewer's page")
        await page.get_by_title(entity_name("event", "watching"), exact=True).click()
        await self.see(self.more_info, event_name("watching", "rated"))
        await self.picture("What the viewer did")
        await self.close_more_info()
        await page.get_by_title(entity_name("image", "poster"), exact=True).click()
        await self.see_picture(self.more_info.locator("img"))
        await self.picture("The last poster")
        await self.close_more_info()
        await page.get_by_title(
            entity_name("sensor", "last_watched"), exact=True
        ).click()
        await self.see(self.more_info, THE_SALT_ROAD.label)
        await self.picture("The last title")
        await self.close_more_info()

    async def media_players(self) -> None:
        """See a film and an episode play, with their posters."""
        for player, account, title in (
            (self.plex.player, ALICE_AT_PLEX, THE_SALT_ROAD),
            (BOBS_TABLET, BOB_AT_PLEX, LOW_WATER),
        ):
            # How far it is, a server says from the first break on.
            await self.send(PlexEvent.PLAY, title, "updated", account, player=player)
            for event in (PlexEvent.PAUSE, PlexEvent.RESUME):
                await self.send(
                    event,
                    title,
                    "updated",
                    account,
                    player=player,
                    position=title.runtime / 3,
                )
            await self.open_device(player.title, "Plex player")
            await self.see(self.page, "Playing")
            await self.picture(f"The page of {player.title}")
            await self.page.get_by_title(player.title).click()
            await self.see(self.more_info, title.title)
            await self.see_picture(self.more_info.locator("img"))
            await self.picture(f"What plays on {player.title}")
            await self.close_more_info()

    async def server_device(self) -> None:
        """Switch the webhook off and on, and see what the server had to tell."""
        page = self.page
        await self.send(PlexEvent.LIBRARY_NEW, NINTH_MERIDIAN, "updated")
        await self.send(PlexEvent.DATABASE_BACKUP, None, "updated")
        await self.open_device(SERVER, "Plex Media Server")
        await self.see(
            page,
            entity_name("event", "library"),
            event_name("library", "added"),
            entity_name("event", "plex_server"),
            event_name("plex_server", "database_backup"),
            entity_name("sensor", "last_webhook"),
            entity_name("switch", "webhook"),
        )
        await self.picture("The server's page")
        switch = page.get_by_role("switch", name=entity_name("switch", "webhook"))
        await expect(switch).to_be_checked()
        await page.locator("ha-entity-toggle").click()
        await expect(switch).not_to_be_checked()
        await self.switched(False)
        await self.picture("The webhook is switched off")
        await self.send(PlexEvent.SCROBBLE, NINTH_MERIDIAN, "ignored")
        await page.get_by_title(
            entity_name("sensor", "last_webhook"), exact=True
        ).click()
        await self.see(self.more_info, entity_name("sensor", "last_webhook"))
        await self.more_info.get_by_role("button", name="Menu").click()
        await self.more_info.get_by_role("menuitem", name="Details").click()
        last_webhook = text("entity", "sensor", "last_webhook", "state_attributes")
        for attribute, value in (
            ("event", PlexEvent.SCROBBLE.value),
            ("outcome", last_webhook["outcome"]["state"]["ignored"]),
            ("reason", "the webhook is switched off"),
        ):
            await self.see_row(self.more_info, last_webhook[attribute]["name"], value)
        await self.picture("The last webhook")
        await self.more_info.get_by_role("button", name="Back to info").click()
        await self.close_more_info()
        await page.locator("ha-entity-toggle").click()
        await expect(switch).to_be_checked()
        await self.switched(True)

    async def calendar(self) -> None:
        """Find the film in the calendar."""
        page = self.page
        await page.get_by_role("link", name="Calendar").click()
        await self.see(page, f"{VIEWER} {entity_name('calendar', 'history')}")
        film = page.get_by_role("button").filter(has_text=THE_SALT_ROAD.label).first
        await expect(film).to_be_visible()
        await self.picture("The calendar")
        await film.click()
        await self.see(page, f"{SERVER} - {self.plex.player.title}")
        await self.picture("A play in the calendar")
        await page.keyboard.press("Escape")

    async def actions(self) -> None:
        """Read the history by an action."""
        page = self.page
        await page.get_by_role("link", name="Settings").click()
        await page.get_by_role("link", name="Tools").click()
        await page.get_by_role("link", name="Actions", exact=True).click()
        await page.get_by_role("button", name="Action", exact=True).click()
        await page.get_by_placeholder("Search").fill(NAME)
        service = text("services", "get_history")
        option = page.get_by_role("option").filter(has_text=service["name"])
        await self.see(option, service["description"])
        await self.picture("The actions")
        await option.click()
        for field in service["fields"].values():
            await self.see(page, field["name"], field["description"])
        await self.picture("The form of an action")
        row = page.locator("ha-settings-row").filter(
            has=page.get_by_text(service["fields"]["viewer"]["name"], exact=True)
        )
        await row.locator("ha-checkbox").click()
        await row.get_by_role("button", name="Integration").click()
        viewer = page.get_by_role("option").filter(has_text=VIEWER)
        await self.see(viewer, VIEWER)
        await self.picture("The viewers to choose from")
        await viewer.click()
        await page.get_by_role("button", name="Perform action").click()
        await page.get_by_role("heading", name="Response").scroll_into_view_if_needed()
        await self.see(
            page.locator("tools-action ha-code-editor").last, THE_SALT_ROAD.title
        )
        await self.picture("The answer of an action")

    async def quick_connect(self) -> None:
        """Sign in by a code that is entered in Jellyfin, and choose who watches there."""
        page, flow, server = self.page, self.flow, self.jellyfin_server
        await self.open_integration()
        await page.get_by_role("button", name="Add service").click()
        dialog = page.locator("dialog-add-integration")
        await dialog.get_by_text(f"Set up another instance of {NAME}").click()
        await self.choose("user", "jellyfin")
        await self.see_step("jellyfin")
        await self.picture("Ways to add a Jellyfin server")
        await self.choose("jellyfin", "jellyfin_quick_connect")
        await self.see_step("jellyfin_quick_connect", "url", "verify_ssl")
        await self.fill("config", "jellyfin_quick_connect", "url", "127.0.0.1:9")
        await self.submit()
        await self.see(flow, text("config", "error", "cannot_connect"))
        await self.picture("Nobody answers at this URL")
        await self.fill("config", "jellyfin_quick_connect", "url", server.url)
        await self.submit()
        title = text("config", "step", "jellyfin_quick_connect_code", "title")
        await self.see(flow, title)
        code = await flow.locator(
            "strong", has_text=re.compile(r"^\d{6}$")
        ).inner_text()
        progress = text("config", "progress", "quick_connect")
        await self.see(flow, re.sub(r"[*]", "", progress).partition(" {code}")[0], code)
        await self.picture("The code to enter in Jellyfin")
        server.authorize_quick_connect(code, self.olga)

        await self.see_step("webhook", "local_only")
        await self.see(flow, text("selector", "instructions", "options", "automatic"))
        await self.picture("Nothing is to be pasted")
        await self.submit()
        await self.see_step("accounts", "accounts")
        for name, chosen in ((self.olga.name, True), (self.erik.name, False)):
            await expect(flow.get_by_role("checkbox", name=name)).to_be_checked(
                checked=chosen
            )
        await self.tick(self.erik.name)
        await self.picture("Who watches on the Jellyfin server")
        await self.submit()
        await self.see(flow, "Jellyfin server")
        await expect(flow.get_by_role("textbox", name="Device name")).to_have_value(
            server.server.name
        )
        await self.picture("The Jellyfin server is added")
        await flow.get_by_role("button", name="Skip and finish").click()
        await self.flow_is_over()

    async def chosen_viewers(self) -> None:
        """See the viewers, and that what they watch is shown and recorded."""
        page, server = self.page, self.jellyfin_server
        await self.open_integration()
        for title in (server.server.name, self.olga.name, self.erik.name):
            await expect(self.entry(title)).to_be_visible()
        await expect(self.entry("Guest room")).to_have_count(0)
        await self.picture("The server and the viewers that were chosen")
        player = server.server.device.name
        await server.play(
            NINTH_MERIDIAN, self.erik, position=NINTH_MERIDIAN.runtime / 3
        )
        await self.open_device(player, "Jellyfin player")
        await self.see(page, "Playing")
        await page.get_by_title(player).click()
        await self.see(self.more_info, NINTH_MERIDIAN.title)
        await self.see_picture(self.more_info.locator("img"))
        await self.picture(f"What plays on {player}")
        await self.close_more_info()
        await server.finish()
        await self.open_device(self.erik.name, "Viewer")
        await self.see(page, NINTH_MERIDIAN.label)
        await self.picture("The page of a viewer that was chosen")
        await self.open_device(server.server.name, "Jellyfin")
        await self.see(page, entity_name("binary_sensor", "connected"))
        await self.picture("The page of a server that is signed in to")

    async def log(self) -> None:
        """See that the integration had nothing to complain of."""
        self.report.log(self.hass.log_text())

    async def repair(self) -> None:
        """Damage a file of the history, and mend it as the repair says."""
        page, flow = self.page, self.flow
        viewer = next(
            entry["entry_id"]
            for entry in await self.hass.entries(DOMAIN)
            if entry["title"] == VIEWER
        )
        await self.hass.stop()
        file = _last_history(self.hass.folder, viewer)
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        await self.hass.start()
        await page.goto(f"{self.hass.url}/config/dashboard")
        title = text("issues", "unreadable", "title").format(viewer=VIEWER)
        repairs = page.locator("ha-config-repairs")
        issue = repairs.get_by_text(title)
        await self.see_picture(repairs.locator("img"))
        await expect(issue).to_be_visible()
        await self.picture("A repair")
        await issue.click()
        confirm = text("issues", "unreadable", "fix_flow", "step", "confirm")
        await self.see_markdown(
            flow, confirm["description"], viewer=VIEWER, files=f"- `{file}`"
        )
        await self.picture("What to do about it")
        await self.submit()
        await self.see(
            flow, text("issues", "unreadable", "fix_flow", "error", "still_unreadable")
        )
        await self.picture("It is still damaged")
        file.write_bytes(content)
        await self.submit()
        await self.see(flow, "The issue is repaired!")
        await self.picture("It is mended")
        await flow.get_by_role("button", name="Finish").click()
        await self.flow_is_over()
        await expect(issue).to_have_count(0)
        await self.open_device(VIEWER, "Viewer")
        await self.see(page, THE_SALT_ROAD.label, "3 plays")
        await self.picture("The history is whole again")

    # Webhooks

    async def send(
        self,
        event: PlexEvent,
        title: Title | None,
        expected: str | None,
        account: PlexAccount = ALICE_AT_PLEX,
        *,
        url: str | None = None,
        **details: Any,
    ) -> None:
        """Send a webhook and check its outcome; None for a URL that is none any more."""
        _, answer = await self.plex.send(
            self.hass.session, url or self.url, event, title, account, **details
        )
        outcome = answer.get("outcome")
        self.report.webhook(
            "Plex",
            account.title,
            event,
            title.label if title else "-",
            answer,
            None if outcome == expected else f"{outcome} instead of {expected}",
        )

    async def switched(self, enabled: bool) -> None:
        """Wait until the switch has done what it shows: the page is ahead of it."""
        state = "on" if enabled else "off"

        async def done() -> bool | None:
            return (
                any(
                    entity_id.startswith("switch.") and entity["state"] == state
                    for entity_id, entity in (await self.hass.states()).items()
                )
                or None
            )

        if not await until(done):
            raise BrowserError(f"The switch is not {state}")


def _last_history(folder: Path, viewer: str) -> Path:
    """Return the file with the latest month of a viewer's history."""
    files = sorted((folder / ".storage").glob(f"{DOMAIN}.history.{viewer}.*"))
    if not files:
        raise BrowserError("No history is on disk")
    return files[-1]


async def _run(pictures: Path) -> int:
    """Walk, and return the exit status."""
    report = Report()
    began = time.monotonic()
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print("Starting Home Assistant and a browser, which takes some seconds ...")
    try:
        async with (
            PlexStandIn(owner="alice") as plex_tv,
            JellyfinStandIn(
                name="Boathouse",
                library=Library(movies=40, episodes=160),
                titles=[NINTH_MERIDIAN, LOW_WATER],
            ) as jellyfin,
            LiveHomeAssistant(environment=plex_tv.environment) as hass,
            browser_page() as page,
        ):
            await Walk(hass, page, report, Album(pictures), plex_tv, jellyfin).run()
    except (BrowserError, LiveHomeAssistantError, PlaywrightError) as err:
        print(f"\n{err}", file=sys.stderr)
        return 1
    finally:
        print(f"\nPictures: {pictures}")
    if report.problems:
        print(f"{len(report.problems)} of {report.checked} checks did not come out:")
        for problem in report.problems:
            print(f"  - {problem}")
        return 1
    seconds = time.monotonic() - began
    print(f"All {report.checked} checks came out as they should, in {seconds:.0f} s.")
    return 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="script/browser",
        description="A walk through Home Assistant's pages in a browser.",
    )
    parser.add_argument(
        "--screenshots",
        type=Path,
        metavar="DIR",
        help="keep the pictures in this folder, not in a new temporary one",
    )
    pictures = parser.parse_args().screenshots
    if pictures is None:
        pictures = Path(tempfile.mkdtemp(prefix="media_scrobbler_pictures_"))
    pictures.mkdir(parents=True, exist_ok=True)
    try:
        return asyncio.run(_run(pictures.resolve()))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM


if __name__ == "__main__":
    sys.exit(main())
