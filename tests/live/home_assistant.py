"""A real Home Assistant in a scratch folder, driven through its own HTTP and WebSocket APIs.

It is the `hass` of the environment that runs this, with this repository's integration linked
in. Nothing is reached but through what Home Assistant offers to everybody; the exception is
the folder, prepared before the first start.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from types import MappingProxyType
from typing import Any, Self

import aiohttp

REPOSITORY = Path(__file__).resolve().parents[2]

START_TIMEOUT = 90.0
STOP_TIMEOUT = 40.0
REQUEST_TIMEOUT = 30.0
PROGRESS_TIMEOUT = 20.0

_LOG_TAIL_LINES = 40
_POLL_INTERVAL = 0.05

_CONFIGURATION = """\
homeassistant:
  name: Media Scrobbler demo
  # Not UTC, so that a time taken for local by mistake shows.
  time_zone: Europe/Amsterdam
  country: NL
  currency: EUR
  unit_system: metric
  internal_url: {url}
api:
config:
frontend:
logger:
  default: warning
  logs:
    custom_components.media_scrobbler: debug
webhook:
websocket_api:
"""

_RECORDER = """\
history:
logbook:
recorder:
  commit_interval: 1
"""


class LiveHomeAssistantError(Exception):
    """Home Assistant did not do what was asked of it; the message says what it said."""


@dataclass(frozen=True, slots=True)
class FlowStep:
    """What a flow shows: a menu, a form, or how it ended."""

    flow_id: str
    type: str
    step_id: str | None
    menu_options: tuple[str, ...]
    schema: tuple[Mapping[str, Any], ...]
    placeholders: Mapping[str, Any]
    errors: Mapping[str, str]
    reason: str | None
    entry: Mapping[str, Any] | None

    @classmethod
    def from_json(cls, result: Mapping[str, Any]) -> FlowStep:
        """Return a step from what the flow API answered."""
        options = result.get("menu_options") or ()
        return cls(
            flow_id=result["flow_id"],
            type=result["type"],
            step_id=result.get("step_id"),
            menu_options=tuple(options),
            schema=tuple(result.get("data_schema") or ()),
            placeholders=result.get("description_placeholders") or {},
            errors=result.get("errors") or {},
            reason=result.get("reason"),
            entry=result.get("result"),
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the form's fields."""
        return tuple(item["name"] for item in self.schema)

    def options(self, name: str) -> dict[str, str]:
        """Return what can be chosen in a field of the form, as label by value."""
        item = next((item for item in self.schema if item["name"] == name), None)
        if item is None:
            raise LiveHomeAssistantError(
                f"Step {self.step_id} has no field {name}, it has {self.fields}"
            )
        options = item.get("selector", {}).get("select", item).get("options", [])
        if isinstance(options, dict):
            return options
        choices: dict[str, str] = {}
        for option in options:
            match option:
                case {"value": value, "label": label}:
                    choices[value] = label
                case [value, label]:
                    choices[value] = label
                case value:
                    choices[value] = value
        return choices


type StepInput = Mapping[str, Any] | Callable[[FlowStep], Mapping[str, Any]]


@dataclass
class EventSubscription:
    """Events of the bus, as they come in."""

    id: int
    queue: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)

    async def next(self, within: float = 10) -> dict[str, Any]:
        """Return the next event: its `event_type`, its `data` and more."""
        try:
            async with asyncio.timeout(within):
                event = await self.queue.get()
        except TimeoutError:
            raise LiveHomeAssistantError(f"No event within {within:g} s") from None
        if event is None:
            raise LiveHomeAssistantError("The connection for events was closed")
        return event

    def waiting(self) -> list[dict[str, Any]]:
        """Return the events that are here already, and take them out."""
        events = []
        while not self.queue.empty():
            if (event := self.queue.get_nowait()) is not None:
                events.append(event)
        return events


class LiveSocket:
    """A connection to Home Assistant's WebSocket API."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        """Take over a connection that has signed in already."""
        self._connection = connection
        self._next_id = 1
        self._results: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._subscriptions: dict[int, EventSubscription] = {}
        self._reader = asyncio.create_task(self._read())

    async def command(self, kind: str, **data: Any) -> Any:
        """Send a command and return its result."""
        return await self._send(self._take_id(), kind, data)

    async def subscribe_events(self, event_type: str) -> EventSubscription:
        """Return the events of a type from now on."""
        subscription = EventSubscription(self._take_id())
        self._subscriptions[subscription.id] = subscription
        await self._send(
            subscription.id, "subscribe_events", {"event_type": event_type}
        )
        return subscription

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
        await self._reader

    def _take_id(self) -> int:
        """Return a number for a command: they have to rise."""
        number = self._next_id
        self._next_id += 1
        return number

    async def _send(self, number: int, kind: str, data: Mapping[str, Any]) -> Any:
        """Send a command under a number and return its result."""
        future = asyncio.get_running_loop().create_future()
        self._results[number] = future
        try:
            await self._connection.send_json({"id": number, "type": kind, **data})
            async with asyncio.timeout(REQUEST_TIMEOUT):
                message = await future
        except TimeoutError:
            raise LiveHomeAssistantError(
                f"No answer to {kind} within {REQUEST_TIMEOUT:g} s"
            ) from None
        except aiohttp.ClientError as err:
            raise LiveHomeAssistantError(f"{kind} could not be sent: {err}") from err
        finally:
            del self._results[number]
        if not message["success"]:
            raise LiveHomeAssistantError(f"{kind} failed: {message['error']}")
        return message["result"]

    async def _read(self) -> None:
        """Hand what comes in to whom it is for, until the connection ends."""
        try:
            async for message in self._connection:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                content = json.loads(message.data)
                self._dispatch(content)
        finally:
            for future in self._results.values():
                if not future.done():
                    future.set_exception(
                        LiveHomeAssistantError("The connection was closed")
                    )
            for subscription in self._subscriptions.values():
                subscription.queue.put_nowait(None)

    def _dispatch(self, content: dict[str, Any]) -> None:
        """Hand one message to whom it is for."""
        number = content["id"]
        if content["type"] == "event":
            if subscription := self._subscriptions.get(number):
                subscription.queue.put_nowait(content["event"])
        elif (future := self._results.get(number)) and not future.done():
            future.set_result(content)


class LiveHomeAssistant:
    """A Home Assistant of our own: started, set up, driven, killed and started again.

    Use it as a context manager; on the way out the process ends, and the folder goes unless
    it was given.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        port: int | None = None,
        companions: Sequence[Path] = (),
        recorder: bool = True,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Prepare a Home Assistant in a folder (a temporary one unless given).

        The companions are folders of further integrations, set up without configuration.
        The environment is what the process has besides what we have ourselves.
        """
        self._companions = companions
        self._recorder = recorder
        self._environment = environment
        self._temporary = folder is None
        self.folder = folder or Path()
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.username = "demo"
        self.password = secrets.token_urlsafe(9)
        self._client_id = f"{self.url}/"
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._sockets: list[LiveSocket] = []
        self._access_token: str | None = None
        self._access_token_until = 0.0
        self._refresh_token: str | None = None

    async def __aenter__(self) -> Self:
        """Start Home Assistant."""
        try:
            await self.start()
        except BaseException:
            await self._clean_up()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop Home Assistant and clean up."""
        try:
            await self.stop()
        finally:
            await self._clean_up()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Return the HTTP session, which sends no token of its own accord."""
        if self._session is None:
            raise LiveHomeAssistantError("Home Assistant has not been started")
        return self._session

    @property
    def running(self) -> bool:
        """Return whether the process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def log_file(self) -> Path:
        """Return where everything goes that Home Assistant says, over all its starts."""
        return self.folder / "output.log"

    def log_text(self) -> str:
        """Return everything that Home Assistant has said since the first start."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    # Life of the process

    async def start(self) -> None:
        """Start the process and return once everything is set up.

        The first time, the owner is created and the onboarding finished.
        """
        if self.running:
            raise LiveHomeAssistantError("Home Assistant is running already")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        await asyncio.to_thread(self._prepare)
        self._process = await self._launch()
        deadline = time.monotonic() + START_TIMEOUT
        onboarding = await self._until(self._onboarding, deadline, "answer")
        if self._refresh_token is None:
            await self._onboard(onboarding)
        await self._until(self._set_up, deadline, "finish its start")

    async def stop(self) -> None:
        """Ask the process to end, as a service manager does, and wait for it."""
        if not self.running:
            return
        await self._close_sockets()
        self._signal(signal.SIGTERM)
        try:
            await self._wait_for_end()
        except LiveHomeAssistantError:
            await self.kill()
            raise

    async def kill(self) -> None:
        """End the process at once, as a power cut does: nothing more is written."""
        if not self.running:
            return
        self._signal(signal.SIGKILL)
        await self._wait_for_end()
        await self._close_sockets()

    async def restart(self, *, kill: bool = False) -> None:
        """End the process, gently unless told otherwise, and start it again."""
        if kill:
            await self.kill()
        else:
            await self.stop()
        await self.start()

    # REST

    async def request(
        self,
        method: str,
        path: str,
        data: Any = None,
        *,
        within: float = REQUEST_TIMEOUT,
    ) -> tuple[int, Any]:
        """Send a request as the owner and return its status and its decoded answer."""
        token = await self._token()
        timeout = aiohttp.ClientTimeout(total=within)
        try:
            async with self.session.request(
                method,
                f"{self.url}{path}",
                json=data,
                headers={"Authorization": f"Bearer {token}"},
                timeout=timeout,
            ) as response:
                text = await response.text()
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as err:
            raise self._error(f"{method} {path} failed: {err!r}") from err
        with suppress(json.JSONDecodeError):
            return status, json.loads(text)
        return status, text

    async def get(self, path: str) -> Any:
        """Return what is at a path."""
        return await self._require("GET", path)

    async def post(self, path: str, data: Any = None) -> Any:
        """Send data to a path and return the answer."""
        return await self._require("POST", path, {} if data is None else data)

    async def delete(self, path: str) -> Any:
        """Delete what is at a path and return the answer."""
        return await self._require("DELETE", path)

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return every state by its entity id."""
        return {state["entity_id"]: state for state in await self.get("/api/states")}

    async def call_action(
        self,
        domain: str,
        action: str,
        data: Mapping[str, Any] | None = None,
        *,
        response: bool = True,
    ) -> Any:
        """Perform an action and return its response, or the states it changed."""
        path = f"/api/services/{domain}/{action}"
        if not response:
            return await self.post(path, data)
        answer = await self.post(f"{path}?return_response", data)
        return answer["service_response"]

    # Config entries and their flows

    async def flow(self, handler: str, *inputs: StepInput) -> list[FlowStep]:
        """Start a config flow, answer its steps and return every step that was shown.

        An input is what is submitted, or a function that makes it of the step. A menu takes
        `{"next_step_id": ...}`. Errors of a form raise.
        """
        first = await self.post("/api/config/config_entries/flow", {"handler": handler})
        return await self._walk(FlowStep.from_json(first), inputs)

    async def continue_flow(self, flow_id: str, *inputs: StepInput) -> list[FlowStep]:
        """Answer the steps of a flow in progress, such as one that was discovered."""
        current = await self.get(f"/api/config/config_entries/flow/{flow_id}")
        return await self._walk(FlowStep.from_json(current), inputs)

    async def progress_flow(self, flow_id: str, act: Callable[[], object]) -> FlowStep:
        """Do what a flow waits for, elsewhere, and return the step it goes on with.

        As the frontend does: Home Assistant says when there is something new to fetch.
        """
        async with self.connect() as connection:
            events = await connection.subscribe_events("data_entry_flow_progressed")
            act()
            while (await events.next(PROGRESS_TIMEOUT))["data"]["flow_id"] != flow_id:
                pass
        current = await self.get(f"/api/config/config_entries/flow/{flow_id}")
        return FlowStep.from_json(current)

    async def options_flow(self, entry_id: str, *inputs: StepInput) -> list[FlowStep]:
        """Start the options flow of an entry and answer its steps."""
        path = "/api/config/config_entries/options/flow"
        first = await self.post(path, {"handler": entry_id})
        return await self._walk(FlowStep.from_json(first), inputs, path)

    async def discovered(self, handler: str | None = None) -> list[dict[str, Any]]:
        """Return the flows that nobody started by hand, all or those of a handler."""
        async with self.connect() as connection:
            flows = await connection.command("config_entries/flow/progress")
        return [flow for flow in flows if handler in (None, flow["handler"])]

    async def entries(self, domain: str | None = None) -> list[dict[str, Any]]:
        """Return the config entries, all or those of a domain."""
        query = f"?domain={domain}" if domain else ""
        entries: list[dict[str, Any]] = await self.get(
            f"/api/config/config_entries/entry{query}"
        )
        return entries

    async def reload_entry(self, entry_id: str) -> None:
        """Set a config entry up anew."""
        await self.post(f"/api/config/config_entries/entry/{entry_id}/reload")

    async def delete_entry(self, entry_id: str) -> None:
        """Remove a config entry."""
        await self.delete(f"/api/config/config_entries/entry/{entry_id}")

    async def entries_on_disk(self, entry_ids: set[str], within: float = 10) -> None:
        """Wait until config entries are on disk: Home Assistant writes them a second late.

        What is to survive a kill has to be written first, and entries are not ours to write.
        """
        path = self.folder / ".storage" / "core.config_entries"
        deadline = time.monotonic() + within
        while True:
            stored = await asyncio.to_thread(_entry_ids, path)
            if entry_ids <= stored:
                return
            if time.monotonic() > deadline:
                raise self._error(f"Entries {entry_ids - stored} were not written")
            await asyncio.sleep(_POLL_INTERVAL)

    # WebSocket

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[LiveSocket]:
        """Open a connection to the WebSocket API, as the owner."""
        token = await self._token()
        try:
            connection = await self.session.ws_connect(
                f"{self.url}/api/websocket", max_msg_size=0
            )
            async with asyncio.timeout(REQUEST_TIMEOUT):
                await connection.receive_json()
                await connection.send_json({"type": "auth", "access_token": token})
                answer = await connection.receive_json()
        except (aiohttp.ClientError, TimeoutError, TypeError) as err:
            raise self._error(f"No WebSocket connection: {err!r}") from err
        if answer["type"] != "auth_ok":
            await connection.close()
            raise self._error(f"Sign-in by WebSocket was refused: {answer}")
        live = LiveSocket(connection)
        self._sockets.append(live)
        try:
            yield live
        finally:
            if live in self._sockets:
                self._sockets.remove(live)
                await live.close()

    # The insides

    def _prepare(self) -> None:
        """Make the folder ready for the first start."""
        hass = self._executable
        if not hass.exists():
            raise LiveHomeAssistantError(
                f"There is no {hass}: Home Assistant has to be installed beside {sys.executable}"
            )
        if not _is_free(self.port):
            raise LiveHomeAssistantError(f"Port {self.port} is in use")
        if self._temporary and self.folder == Path():
            self.folder = Path(tempfile.mkdtemp(prefix="home_assistant_"))
        storage = self.folder / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        if self._refresh_token is not None:
            return
        configuration = self.folder / "configuration.yaml"
        if configuration.exists():
            raise LiveHomeAssistantError(
                f"{self.folder} belongs to an earlier run, whose password is not known"
            )
        configuration.write_text(
            _CONFIGURATION.format(url=self.url)
            + (_RECORDER if self._recorder else "")
            + "".join(f"{companion.name}:\n" for companion in self._companions),
            encoding="utf-8",
        )
        # HTTP settings in YAML would be imported on trial, and undone after five minutes with
        # a restart. This is the oldest form of what they are imported into.
        _write_store(
            storage / "http",
            1,
            {"server_host": ["127.0.0.1"], "server_port": self.port},
        )
        # This step of the onboarding adds a weather service, a radio and a voice, all of
        # them on the internet. It counts as done; the rest goes the usual way.
        _write_store(storage / "onboarding", 4, {"done": ["core_config"]})
        links = self.folder / "custom_components"
        links.mkdir()
        for integration in (
            REPOSITORY / "custom_components" / "media_scrobbler",
            *self._companions,
        ):
            (links / integration.name).symlink_to(integration, target_is_directory=True)

    @property
    def _executable(self) -> Path:
        """Return the `hass` of the environment we run in."""
        return Path(sys.executable).parent / "hass"

    async def _launch(self) -> asyncio.subprocess.Process:
        """Start the process, in a group of its own so that Ctrl-C is ours to handle."""
        with self.log_file.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                str(self._executable),
                "--skip-pip",
                "--log-no-color",
                "--config",
                str(self.folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                env={**os.environ, **self._environment},
            )

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; to all of its group if it is to be killed."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    async def _wait_for_end(self) -> None:
        """Wait for the process to end."""
        if self._process is None:
            return
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            raise self._error(
                f"Home Assistant did not end within {STOP_TIMEOUT:g} s"
            ) from None

    async def _until[ResultT](
        self,
        check: Callable[[], Awaitable[ResultT | None]],
        deadline: float,
        aim: str,
    ) -> ResultT:
        """Repeat a check until it returns something, the process ends or time is up."""
        while True:
            if not self.running:
                code = self._process.returncode if self._process else None
                raise self._error(f"Home Assistant ended with status {code}")
            if (result := await check()) is not None:
                return result
            if time.monotonic() > deadline:
                await self.kill()
                raise self._error(
                    f"Home Assistant did not {aim} within {START_TIMEOUT:g} s"
                )
            await asyncio.sleep(_POLL_INTERVAL)

    async def _onboarding(self) -> list[dict[str, Any]] | None:
        """Return the steps of the onboarding, none once all are done; None if not up yet."""
        try:
            async with self.session.get(
                f"{self.url}/api/onboarding", timeout=aiohttp.ClientTimeout(total=5)
            ) as response:
                if response.status == 404:
                    # Once all steps are done there is no such path any more; before the
                    # first start is far enough, there is none yet.
                    return [] if self._refresh_token else None
                steps: list[dict[str, Any]] = await response.json()
                return steps
        except aiohttp.ClientError, TimeoutError:
            return None

    async def _set_up(self) -> bool | None:
        """Return True once Home Assistant runs, None until then."""
        try:
            status, config = await self.request("GET", "/api/config")
        except LiveHomeAssistantError:
            return None
        if status != 200:
            return None
        if config["recovery_mode"]:
            raise self._error("Home Assistant came up in recovery mode")
        return True if config["state"] == "RUNNING" else None

    async def _onboard(self, steps: list[dict[str, Any]]) -> None:
        """Create the owner, sign in and finish the onboarding."""
        done = {step["step"] for step in steps if step["done"]}
        if "user" in done:
            raise self._error(
                "The folder has an owner already whose password is unknown"
            )
        answer = await self._post_without_token(
            "/api/onboarding/users",
            {
                "client_id": self._client_id,
                "name": "Demo",
                "username": self.username,
                "password": self.password,
                "language": "en",
            },
        )
        await self._sign_in(
            {"grant_type": "authorization_code", "code": answer["auth_code"]}
        )
        for step in steps:
            name = step["step"]
            if name in done or name == "user":
                continue
            await self.post(
                f"/api/onboarding/{name}",
                {
                    "client_id": self._client_id,
                    "redirect_uri": f"{self.url}/?auth_callback=1",
                },
            )

    async def _post_without_token(self, path: str, data: Mapping[str, Any]) -> Any:
        """Send JSON before anybody is signed in."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
        async with self.session.post(
            f"{self.url}{path}", json=data, timeout=timeout
        ) as response:
            if response.status >= 400:
                text = await response.text()
                raise self._error(f"POST {path} answered {response.status}: {text}")
            return await response.json()

    async def _sign_in(self, form: Mapping[str, str]) -> None:
        """Exchange a code or a refresh token for an access token."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
        async with self.session.post(
            f"{self.url}/auth/token",
            data={**form, "client_id": self._client_id},
            timeout=timeout,
        ) as response:
            answer = await response.json()
        if "access_token" not in answer:
            raise self._error(f"Signing in failed: {answer}")
        self._access_token = answer["access_token"]
        self._access_token_until = time.monotonic() + answer["expires_in"] - 60
        self._refresh_token = answer.get("refresh_token", self._refresh_token)

    async def _token(self) -> str:
        """Return an access token that is still good."""
        if self._refresh_token and time.monotonic() > self._access_token_until:
            await self._sign_in(
                {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
            )
        if self._access_token is None:
            raise LiveHomeAssistantError(
                "Nobody is signed in: start Home Assistant first"
            )
        return self._access_token

    async def _require(self, method: str, path: str, data: Any = None) -> Any:
        """Send a request and return its answer; raise if it is an error."""
        status, answer = await self.request(method, path, data)
        if status >= 400:
            raise self._error(f"{method} {path} answered {status}: {answer}")
        return answer

    async def _walk(
        self,
        step: FlowStep,
        inputs: tuple[StepInput, ...],
        path: str = "/api/config/config_entries/flow",
    ) -> list[FlowStep]:
        """Answer the steps of a flow one by one."""
        steps = [step]
        for answer in inputs:
            if step.type not in ("form", "menu"):
                raise self._error(
                    f"The flow ended early: {step.type} {step.reason or ''}".rstrip()
                )
            data = answer(step) if callable(answer) else answer
            result = await self.post(f"{path}/{step.flow_id}", data)
            step = FlowStep.from_json(result)
            if step.errors:
                raise self._error(f"Step {step.step_id} refused {data}: {step.errors}")
            steps.append(step)
        return steps

    async def _close_sockets(self) -> None:
        """Close what is still connected."""
        sockets, self._sockets = self._sockets, []
        for live in sockets:
            await live.close()

    async def _clean_up(self) -> None:
        """Leave nothing behind: no process, no connection, no temporary folder."""
        with suppress(LiveHomeAssistantError):
            await self.kill()
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._temporary and self.folder != Path():
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def _error(self, message: str) -> LiveHomeAssistantError:
        """Return an error that ends with the last that Home Assistant said."""
        lines = self.log_text().splitlines()[-_LOG_TAIL_LINES:]
        if not lines:
            return LiveHomeAssistantError(message)
        tail = "\n".join(f"  | {line}" for line in lines)
        return LiveHomeAssistantError(f"{message}\nThe end of its log:\n{tail}")


def _free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    """Return whether nobody listens on a port: Home Assistant would take another instead."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _entry_ids(path: Path) -> set[str]:
    """Return the config entries in a file, none while it is not there or half written."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError, json.JSONDecodeError:
        return set()
    return {entry["entry_id"] for entry in content["data"]["entries"]}


def _write_store(path: Path, version: int, data: Mapping[str, Any]) -> None:
    """Write a file of Home Assistant's own storage."""
    content = {"version": version, "minor_version": 1, "key": path.name, "data": data}
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
