"""What to watch, and whether it is there, as the pages show it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
import re

from playwright.async_api import Locator, Page, expect

from tests.simulators.catalogue import (
    HARBOUR_LIGHTS,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    Movie,
    Show,
)
from tests.simulators.jellyfin_server import JellyfinStandIn
from tests.simulators.plex_server import PlexStandIn
from tests.texts import text

from .browser_pages import NAME, Album, BrowserError, Pages, entity_name
from .demo_library import A_QUIET_QUAY, THE_NIGHT_FERRY
from .home_assistant import LiveHomeAssistant
from .report import DOMAIN, Report

type Part = tuple[str, Callable[[], Awaitable[None]]]

# What is on Alice's list at Plex, in its order.
WANTED: tuple[Movie | Show, ...] = (
    THE_NIGHT_FERRY,
    NINTH_MERIDIAN,
    HARBOUR_LIGHTS,
    A_QUIET_QUAY,
)

# Long enough for a scan to be seen, and for a picture of it.
_PER_PAGE = 1.5


class WatchlistWalk(Pages):
    """The way through the watchlist of a viewer and the library of a server."""

    def __init__(
        self,
        hass: LiveHomeAssistant,
        page: Page,
        report: Report,
        album: Album,
        *,
        viewer: str,
        server: str,
        plex: PlexStandIn,
        jellyfin: JellyfinStandIn,
    ) -> None:
        """Take the names of the viewer and of a server known by its webhooks.

        The Jellyfin server is signed in to, at plex.tv nobody is yet.
        """
        super().__init__(hass, page, report, album)
        self.viewer = viewer
        self.server = server
        self.plex = plex
        self.jellyfin = jellyfin
        plex.discover.titles += WANTED
        now = datetime.now(UTC)
        for days, title in enumerate(WANTED):
            plex.owner.add_to_watchlist(title, at=now - timedelta(days=days))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts of the way."""
        return (
            ("Signing in to a watchlist at Plex", self.sign_in_to_plex),
            ("Importing the watchlist", self.import_watchlist),
            ("Scanning a library", self.scan_library),
            ("The watchlist", self.watchlist),
            ("Changing the watchlist", self.change_watchlist),
            ("The viewer, again", self.viewer_device),
            ("A watchlist that has shrunk", self.shrunk),
        )

    async def sign_in_to_plex(self) -> None:
        """Sign in at plex.tv from the viewer's options."""
        flow = self.flow
        await self.open_options(self.viewer)
        await self.choose("init", "plex_sign_in", "options")
        link = flow.get_by_role("link", name="Open plex.tv")
        url = await link.get_attribute("href") or ""
        if not url.startswith("https://app.plex.tv/auth"):
            raise BrowserError(f"The way to plex.tv is {url}")
        await self.picture("To be confirmed at plex.tv")
        self.plex.tv.visit(url, self.plex.owner)
        await self.see(flow, "Options successfully saved.")
        await self.picture("Signed in at plex.tv")
        await self.close_flow()
        await self.open_options(self.viewer)
        await self.see_options("init", without={"following"})
        await self.picture("There is a way to sign out")
        await self.close_flow()

    async def import_watchlist(self) -> None:
        """Import it by an action."""
        await self.open_action("import_watchlist")
        await self.picture("The form to import a watchlist")
        await self.perform()
        answer = self.page.locator("tools-action ha-code-editor").last
        await self.see(answer, *(title.title for title in WANTED))
        await self.picture("What has been imported")

    async def scan_library(self) -> None:
        """Press the button, watch how far it is, and see what there is."""
        page, server = self.page, self.jellyfin.server.name
        states = text("entity", "sensor", "library_scan", "state")
        await self.open_device(server, "Jellyfin server")
        await self.see(
            page,
            entity_name("button", "scan_library"),
            entity_name("button", "cancel_scan"),
            *(
                entity_name("sensor", f"library_{kind}")
                for kind in ("movies", "shows", "episodes", "scan", "scan_progress")
            ),
            states["not_scanned"],
        )
        await self.picture("A server that has not been scanned")
        button = page.locator("hui-button-entity-row").filter(
            has_text=entity_name("button", "scan_library")
        )
        progress = page.get_by_title(
            entity_name("sensor", "library_scan_progress"), exact=True
        )
        with self.jellyfin.faults.slow(_PER_PAGE, path="/Items"):
            await button.get_by_role("button").click()
            await self.see(page, states["scanning"])
            await self.see(page, re.compile(r"^\s*[1-9]\d*\s*%"))
            await progress.scroll_into_view_if_needed()
            await self.picture("A scan under way")
            await self.see(page, states["complete"])
        library = self.jellyfin.library
        await self.see(
            page,
            f"{len(library.movies) + 1} movies",
            f"{len(library.shows) + 1} shows",
            f"{len(library.episodes) + 1} episodes",
        )
        await self.picture("What the server has")

    # The to-do list

    async def watchlist(self) -> None:
        """See it in its order, with what is there."""
        await self.open_watchlist()
        await self.see_items(*(title.label for title in WANTED))
        boathouse = self.jellyfin.server.name
        for label, kind, servers in (
            (THE_NIGHT_FERRY.label, "movie", ()),
            (NINTH_MERIDIAN.label, "movie", (self.server, boathouse)),
            (HARBOUR_LIGHTS.label, "show", (boathouse,)),
        ):
            await self.see_description(label, kind, *servers)
        await self.picture("The watchlist")

    async def change_watchlist(self) -> None:
        """Add, move, check off, rename and delete."""
        ferry, meridian, lights, quay = (title.label for title in WANTED)
        film = self.jellyfin.library.movies[3].label
        typo = "Paper Orchrd (2006)"
        for typed in (film, typo):
            await self.type_item(typed)
        await self.see_items(ferry, meridian, lights, quay, film, typo)
        await self.see_description(film, "movie", self.jellyfin.server.name)
        await expect(self.row(typo).locator(".description")).to_have_count(0)
        await self.picture("Added by typing")
        await self.type_item(ferry)
        present = text("exceptions", "watchlist_present", "message")
        await self.see(self.page, present.format(title=ferry))
        await self.picture("It is on the list already")

        await self.drag_to_top(quay)
        await self.see_items(quay, ferry, meridian, lights, film, typo)
        await self.picture("Moved to the top")
        await self.row(lights).locator("ha-checkbox").click()
        await self.see_items(quay, ferry, meridian, film, typo, lights)
        await self.see(self.card, "Completed")
        await self.picture("Checked off")

        dialog = await self.open_item(typo)
        await self.picture("An item of the watchlist")
        name = dialog.get_by_role("textbox", name="Task name")
        await name.fill(PAPER_ORCHARD.label)
        await dialog.get_by_role("button", name="Save item").click()
        await expect(dialog.locator("ha-dialog")).to_have_count(0)
        await self.see_items(quay, ferry, meridian, film, PAPER_ORCHARD.label, lights)
        await self.picture("Renamed")
        dialog = await self.open_item(film)
        await self.picture("An item that is there")
        await dialog.get_by_role("button", name="Delete item").click()
        await (
            self.page.locator("dialog-box").get_by_role("button", name="Delete").click()
        )
        await expect(dialog.locator("ha-dialog")).to_have_count(0)
        await self.see_items(quay, ferry, meridian, PAPER_ORCHARD.label, lights)
        await self.page.reload()
        await self.see_items(quay, ferry, meridian, PAPER_ORCHARD.label, lights)
        await self.picture("The watchlist, changed")

    async def viewer_device(self) -> None:
        """See how much is wanted, and how much of it is there."""
        page = self.page
        await self.open_device(self.viewer, "Viewer")
        await self.see(
            page,
            entity_name("sensor", "watchlist_size"),
            "4 titles",
            entity_name("sensor", "watchlist_available"),
            "1 titles",
            entity_name("sensor", "last_import"),
        )
        await self.picture("The page of a viewer who wants something")
        trigger = text(
            "entity", "sensor", "last_import", "state_attributes", "trigger", "state"
        )
        await self.see_last_import(
            trigger=trigger["action"], imported=str(len(WANTED)), already_present="0"
        )
        await self.picture("The last import")
        await self.leave_details()

    async def see_last_import(self, **values: str) -> None:
        """Open the details of the last import on the viewer's page, and see values there."""
        entity = entity_name("sensor", "last_import")
        await self.page.get_by_title(entity, exact=True).click()
        await self.more_info.get_by_role("button", name="Menu").click()
        await self.more_info.get_by_role("menuitem", name="Details").click()
        attributes = text("entity", "sensor", "last_import", "state_attributes")
        for attribute, value in values.items():
            await self.see_row(self.more_info, attributes[attribute]["name"], value)

    async def leave_details(self) -> None:
        """Close the details of an entity."""
        await self.more_info.get_by_role("button", name="Back to info").click()
        await self.close_more_info()

    # A list that has shrunk

    async def shrunk(self) -> None:
        """See that a list that has become short is not believed, until a person says so."""
        page, flow = self.page, self.flow
        for title in (THE_NIGHT_FERRY, HARBOUR_LIGHTS, A_QUIET_QUAY):
            del self.plex.owner.watchlist[title]
        counts = {"before": str(len(WANTED)), "now": "1"}
        await self.open_action("import_watchlist")
        await self.perform()
        refused = text("exceptions", "watchlist_shrunk", "message").format_map(counts)
        await self.see(page, refused)
        await self.picture("The import is refused")
        await self.open_device(self.viewer, "Viewer")
        errors = text(
            "entity", "sensor", "last_import", "state_attributes", "error", "state"
        )
        await self.see_last_import(error=errors["watchlist_shrunk"])
        await self.picture("Why nothing was imported")
        await self.leave_details()

        await page.get_by_role("link", name="Settings").click()
        issue = page.locator("ha-config-repairs").get_by_text(
            text("issues", "watchlist_shrunk", "title").format(viewer=self.viewer)
        )
        await expect(issue).to_be_visible()
        await self.picture("The repair of a watchlist")
        await issue.click()
        confirm = text("issues", "watchlist_shrunk", "fix_flow", "step", "confirm")
        await self.see(flow, confirm["title"])
        await self.see_markdown(
            flow, confirm["description"], viewer=self.viewer, **counts
        )
        await self.picture("Is that right")
        await self.submit()
        await self.see(flow, "The issue is repaired!")
        await self.picture("It is right")
        await flow.get_by_role("button", name="Finish").click()
        await self.flow_is_over()
        await expect(issue).to_have_count(0)
        await self.open_watchlist()
        await self.see_items(
            NINTH_MERIDIAN.label, PAPER_ORCHARD.label, HARBOUR_LIGHTS.label
        )
        await self.picture("What is left of the watchlist")

    # Finding one's way

    @property
    def card(self) -> Locator:
        """Return the card with the list."""
        return self.page.locator("hui-todo-list-card")

    def row(self, label: str) -> Locator:
        """Return an item of the list."""
        return self.card.locator("ha-check-list-item").filter(
            has=self.page.get_by_text(label, exact=True)
        )

    async def open_watchlist(self) -> None:
        """Go to the viewer's watchlist among the to-do lists."""
        await self.page.get_by_role("link", name="To-do lists").click()
        name = f"{self.viewer} {entity_name('todo', 'watchlist')}"
        await self.page.get_by_role("menuitem", name=name).click()
        await expect(self.card).to_be_visible()

    async def see_items(self, *labels: str) -> None:
        """Wait until the list has some items in their order: those that are done last."""
        await expect(self.card.locator(".summary")).to_have_text(list(labels))

    async def see_description(self, label: str, kind: str, *servers: str) -> None:
        """Wait until an item says what it is, and which servers have it, in any order."""
        texts = text("selector", "watchlist", "options")
        names = "|".join(", ".join(each) for each in permutations(servers))
        there = rf" · {texts['available']} ({names})" if servers else ""
        await expect(self.row(label).locator(".description")).to_have_text(
            re.compile(rf"^\s*{texts[kind]}{there}\s*$")
        )

    async def type_item(self, typed: str) -> None:
        """Add an item by typing it."""
        box = self.card.get_by_placeholder("Add item")
        await box.fill(typed)
        await box.press("Enter")

    async def open_item(self, label: str) -> Locator:
        """Open the dialog for an item."""
        await self.card.get_by_text(label, exact=True).click()
        dialog = self.page.locator("dialog-todo-item-editor")
        await expect(dialog.get_by_role("textbox", name="Task name")).to_be_visible()
        return dialog

    async def drag_to_top(self, label: str) -> None:
        """Move an item to the top with the mouse."""
        mouse = self.page.mouse
        handles = self.card.locator(".handle")
        await self.choose_from_list_menu("Reorder items")
        await expect(handles.first).to_be_visible()
        await self.picture("The list can be put in order")
        x, y = await _middle(self.row(label).locator(".handle"))
        top_x, top_y = await _middle(handles.first)
        await mouse.move(x, y)
        await mouse.down()
        first = self.card.locator(".summary").first
        # Rows make room one by one, each in its time, for as long as the mouse moves.
        for _ in range(50):
            await mouse.move(top_x, top_y + 10, steps=10)
            await mouse.move(top_x, top_y - 10, steps=10)
            if await first.inner_text() == label:
                break
        await mouse.up()
        await expect(first).to_have_text(label)
        await self.choose_from_list_menu("Exit reorder mode")
        await expect(handles).to_have_count(0)

    async def choose_from_list_menu(self, item: str) -> None:
        """Choose from the menu of the list."""
        await self.card.locator("ha-dropdown").first.click()
        await self.page.get_by_role("menuitem", name=item).click()

    async def open_action(self, action: str) -> None:
        """Choose an action in the tools, with a viewer's field."""
        page, service = self.page, text("services", action)
        await page.get_by_role("link", name="Settings").click()
        await page.get_by_role("link", name="Tools").click()
        await page.get_by_role("link", name="Actions", exact=True).click()
        # The tools remember what was performed last.
        chosen = re.compile(rf"^Action$|\b{DOMAIN}\.")
        await page.get_by_role("button", name=chosen).click()
        await page.get_by_placeholder("Search").fill(f"{NAME} {service['name']}")
        option = page.get_by_role("option").filter(has_text=service["name"])
        await self.see(option, service["description"])
        await option.first.click()
        for field in service["fields"].values():
            await self.see(page, field["name"], field["description"])

    async def perform(self) -> None:
        """Perform the action that has been chosen."""
        await self.page.get_by_role("button", name="Perform action").click()


async def _middle(element: Locator) -> tuple[float, float]:
    """Return where the middle of an element is."""
    box = await element.bounding_box()
    if box is None:
        raise BrowserError("There is nothing to point at")
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
