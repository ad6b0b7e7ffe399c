"""Home Assistant's own pages, in a browser: finding one's way, filling in, and looking.

What counts as seen is text that is visible on the page.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
import re
import shutil
import time
from typing import Any

from playwright.async_api import (
    Error as PlaywrightError,
    Locator,
    Page,
    async_playwright,
    expect,
)

from tests.texts import english, text

from .home_assistant import LiveHomeAssistant
from .report import DOMAIN, Report

NAME = "Media Scrobbler"

TIMEOUT = 20.0
_POLL_INTERVAL = 0.1

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    # Pages have links and pictures on the internet, which is none of our business.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# All text that is shown, with that in shadow roots, without that in editors of code.
_SHOWN_TEXT = """
(root) => {
  const found = [];
  const walk = (parent) => {
    for (const node of parent.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) {
        found.push(node.data);
      } else if (node.nodeType === Node.ELEMENT_NODE) {
        if (["STYLE", "SCRIPT", "TEMPLATE", "HA-CODE-EDITOR"].includes(node.tagName)) continue;
        const style = getComputedStyle(node);
        if (style.display === "none" || style.visibility === "hidden") continue;
        if (node.shadowRoot) walk(node.shadowRoot);
        walk(node);
      }
    }
  };
  if (root.shadowRoot) walk(root.shadowRoot);
  walk(root);
  return found.join("\\n");
}
"""

# Whether every picture on the page is there, or cannot be had.
_PICTURES_LOADED = """
() => {
  const loaded = (parent) => [...parent.querySelectorAll("*")].every((element) =>
    (element.tagName !== "IMG" || element.complete) &&
    (!element.shadowRoot || loaded(element.shadowRoot)));
  return loaded(document);
}
"""


class BrowserError(Exception):
    """A page did not show what it should."""


class Album:
    """A folder of pictures, in the order in which they were taken."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self.folder = folder
        self._taken = 0

    def place(self, title: str) -> Path:
        """Return where the next picture goes."""
        self._taken += 1
        name = re.sub(r"[^a-z0-9]+", "-", title.lower())
        return self.folder / f"{self._taken:02}-{name}.png"


class Pages:
    """The pages, as somebody goes through them."""

    def __init__(
        self, hass: LiveHomeAssistant, page: Page, report: Report, album: Album
    ) -> None:
        """Take whose pages these are, and where pictures of them go."""
        self.hass = hass
        self.page = page
        self.report = report
        self.album = album

    # Finding one's way

    @property
    def flow(self) -> Locator:
        """Return the dialog of a flow."""
        return self.page.locator("dialog-data-entry-flow")

    @property
    def more_info(self) -> Locator:
        """Return the dialog about an entity."""
        return self.page.locator("ha-more-info-dialog")

    async def open_integrations(self) -> None:
        """Go to the list of integrations, as one does."""
        page = self.page
        await page.get_by_role("link", name="Settings").click()
        await page.get_by_role("link", name="Devices & services").click()
        await expect(page.get_by_role("button", name="Add integration")).to_be_visible()

    async def open_integration(self) -> None:
        """Go to the integration's page."""
        await self.open_integrations()
        await self.page.get_by_role("link", name=NAME).click()
        await expect(
            self.page.get_by_role("button", name="Add service")
        ).to_be_visible()

    async def open_device(self, name: str, model: str) -> None:
        """Go to the page of a device."""
        await self.open_integration()
        await self.page.get_by_role("button", name=f"{name} {model}").click()
        await self.see(self.page.locator("ha-config-device-page"), "Activity")

    def entry(self, title: str) -> Locator:
        """Return an entry on the integration's page."""
        return self.page.locator("ha-config-entry-row").filter(
            has=self.page.get_by_text(title, exact=True)
        )

    async def open_options(self, title: str) -> None:
        """Open the options of an entry."""
        await self.open_integration()
        await self.entry(title).get_by_role("button", name="Configure").first.click()

    async def open_menu(self, title: str, item: str) -> None:
        """Choose from the menu of an entry."""
        await self.open_integration()
        entry = self.entry(title)
        await entry.get_by_role("button", name="Menu").first.click()
        await self.see(entry, item)
        await self.picture(f"The menu of {title}")
        await entry.get_by_role("menuitem", name=item).click()

    # Forms

    def box(self, category: str, step: str, field: str) -> Locator:
        """Return a field for text."""
        label = text(category, "step", step, "data", field)
        return self.flow.get_by_role("textbox", name=re.compile(f"^{re.escape(label)}"))

    async def fill(self, category: str, step: str, field: str, value: str) -> None:
        """Write into a field."""
        box = self.box(category, step, field)
        await box.fill(value)
        await expect(box).to_have_value(value)

    async def tick(self, label: str, *, checked: bool = True) -> None:
        """Tick a box by its label, or take the tick away."""
        # At its beginning: what explains it may be below, and is none of it.
        await self.flow.get_by_text(label).click(position={"x": 40, "y": 14})
        await expect(self.flow.get_by_role("checkbox", name=label)).to_be_checked(
            checked=checked
        )

    async def choose(self, step: str, option: str, category: str = "config") -> None:
        """Choose from a menu."""
        label = text(category, "step", step, "menu_options", option)
        await self.flow.get_by_text(label, exact=True).click()

    async def submit(self, button: str = "Submit") -> None:
        """Submit a form."""
        await self.flow.get_by_role("button", name=button, exact=True).click()

    async def close_flow(self) -> None:
        """Close the dialog of a flow."""
        await self.flow.get_by_role("button", name="Close").first.click()
        await self.flow_is_over()

    async def flow_is_over(self) -> None:
        """Wait until the dialog of a flow is gone."""
        await expect(self.flow.locator("ha-dialog")).to_have_count(0)

    async def close_more_info(self) -> None:
        """Close the dialog about an entity."""
        await self.more_info.get_by_role("button", name="Close").first.click()
        await expect(self.more_info.locator("ha-dialog")).to_have_count(0)

    # Looking

    async def see(self, where: Page | Locator, *texts: str | re.Pattern[str]) -> None:
        """Wait until every one of some texts is visible."""
        for wanted in texts:
            await expect(
                where.get_by_text(wanted).filter(visible=True).first
            ).to_be_visible()

    async def see_row(self, where: Locator, name: str, value: str) -> None:
        """Wait until a value is shown beside its name."""
        wanted = re.compile(rf"{re.escape(name)}\s+{re.escape(value)}")
        deadline = time.monotonic() + TIMEOUT
        while not wanted.search(await where.evaluate(_SHOWN_TEXT)):
            if time.monotonic() > deadline:
                raise BrowserError(f"It does not say {name}: {value}")
            await asyncio.sleep(_POLL_INTERVAL)

    async def see_markdown(self, where: Locator, markdown: str, **values: str) -> None:
        """Wait until a text is visible that is written in Markdown, line by line."""
        for line in markdown.format_map(values).splitlines():
            await self.see(where, re.sub(r"^(\d+\.|-) |[*`]", "", line))

    async def see_step(self, step: str, *fields: str) -> None:
        """Wait until a step of the config flow is there with all that belongs to it."""
        texts = text("config", "step", step)
        await self.see(self.flow, texts["title"])
        for options in ("menu_options", "menu_option_descriptions"):
            await self.see(self.flow, *texts.get(options, {}).values())
        if step not in ("webhook", "confirm_account", "accounts"):
            await self.see_markdown(self.flow, texts["description"])
        for field in fields:
            await self.see_field("config", step, field)

    async def see_options(self, step: str, *, without: Collection[str] = ()) -> None:
        """Wait until a menu of the options is there, but for some of its choices."""
        texts = text("options", "step", step)
        await self.see(self.flow, texts["title"])
        for options in ("menu_options", "menu_option_descriptions"):
            for key, label in texts.get(options, {}).items():
                if key not in without:
                    await self.see(self.flow, label)

    async def see_field(self, category: str, step: str, field: str) -> None:
        """Wait until a field is visible with its description."""
        texts = text(category, "step", step)
        await self.see(
            self.flow, texts["data"][field], texts["data_description"][field]
        )

    async def see_instructions(self, kind: str) -> None:
        """Wait until the instructions for a type of server are visible, as a list."""
        instructions = text("selector", "instructions", "options", kind)
        await self.see_markdown(self.flow, instructions)
        numbered = re.findall(r"^\d+\.", instructions, re.MULTILINE)
        await expect(self.flow.locator("ol > li")).to_have_count(len(numbered))

    async def see_picture(self, image: Locator) -> None:
        """Wait until an image is visible that has loaded."""
        await expect(image.first).to_be_visible()
        deadline = time.monotonic() + TIMEOUT
        while not await image.first.evaluate("image => image.naturalWidth"):
            if time.monotonic() > deadline:
                source = await image.first.get_attribute("src")
                raise BrowserError(f"The image {source} cannot be loaded")
            await asyncio.sleep(_POLL_INTERVAL)

    async def read_url(self) -> str:
        """Return the URL of a webhook that is shown."""
        code = self.flow.locator("code")
        await expect(code).to_have_text(
            re.compile(f"^{re.escape(self.hass.url)}/api/webhook/[0-9a-f]{{64}}$")
        )
        url: str = await code.inner_text()
        return url

    async def picture(self, title: str) -> None:
        """Take a picture of the page, and see that no key of a text is on it."""
        await self.page.wait_for_function(_PICTURES_LOADED)
        await self.page.screenshot(path=self.album.place(title), animations="disabled")
        shown: str = await self.page.locator("body").evaluate(_SHOWN_TEXT)
        raw = sorted({match.group() for match in _raw_keys().finditer(shown)})
        self.report.check(not raw, title, f"untranslated: {', '.join(raw)}")

    async def picture_of_failure(self) -> Path:
        """Take a picture of where the way ended, and write down what is on it."""
        picture = self.album.folder / "failed.png"
        try:
            await self.page.screenshot(path=picture)
            content = await self.page.locator("body").aria_snapshot()
            picture.with_suffix(".txt").write_text(content, encoding="utf-8")
        except PlaywrightError as err:
            print(f"         no picture: {short(err)}")
        return picture


def entity_name(platform: str, key: str) -> str:
    """Return the name of an entity."""
    name: str = text("entity", platform, key, "name")
    return name


def event_name(key: str, event_type: str) -> str:
    """Return the name of an event type of an event entity."""
    attributes = text("entity", "event", key, "state_attributes")
    name: str = attributes["event_type"]["state"][event_type]
    return name


def _raw_keys() -> re.Pattern[str]:
    """Return what matches a key that stands where its text should, or a placeholder."""

    def keys(texts: dict[str, Any]) -> set[str]:
        """Return every key with an underscore: no other is told from a word."""
        found = {key for key in texts if "_" in key}
        return found.union(
            *(keys(value) for value in texts.values() if isinstance(value, dict))
        )

    # An action is shown with its name in full, as media_scrobbler.get_history.
    names = "|".join(sorted(keys(english())))
    return re.compile(rf"\{{\w+\}}|component\.{DOMAIN}|\[%key|(?<![\w.])({names})\b")


def short(err: Exception) -> str:
    """Return what an error says, without what the browser tried in the meantime."""
    said, _, tried = str(err).partition("Call log:")
    lines = [*said.splitlines(), *tried.strip().splitlines()[:1]]
    return "\n         ".join(line.strip() for line in lines if line.strip())


@asynccontextmanager
async def browser_page() -> AsyncIterator[Page]:
    """Start a browser and return a page of its own."""
    executable = shutil.which("chromium")
    if executable is None:
        raise BrowserError("missing: chromium on PATH")
    expect.set_options(timeout=TIMEOUT * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=list(ARGUMENTS)
        )
        try:
            context = await browser.new_context(
                viewport={"width": 1280, "height": 900},
                locale="en-US",
                timezone_id="Europe/Amsterdam",
            )
            page = await context.new_page()
            page.set_default_timeout(TIMEOUT * 1000)
            yield page
        finally:
            await browser.close()
