"""Receiving: HTTP in, outcome out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp.hdrs import ACCEPT, METH_GET, METH_HEAD, METH_POST, METH_PUT
from aiohttp.web import Request, Response
from homeassistant.components import webhook
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.json import json_bytes
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.body import decode
from .domain.event import MediaEvent
from .domain.fields import PayloadError
from .domain.outcome import Answer, Outcome
from .server import Server

type Processor = Callable[[Server, MediaEvent, bytes | None], Awaitable[Answer]]

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request that are read. Posters come to a few hundred thousand."""

LARGE_BODY = 64 * 1024
"""Bytes from which on a request is understood outside the event loop."""

TOO_MANY = "more webhooks than any household makes"

GET_INTERVAL = timedelta(minutes=10)
"""How long one GET to a webhook stands for all: each webhook may become one."""

_METHODS = (METH_GET, METH_HEAD, METH_POST, METH_PUT)


class WebhookReceiver:
    """Registers the servers' webhooks with Home Assistant and answers them."""

    def __init__(self, hass: HomeAssistant, process: Processor) -> None:
        """Take what finds out what a media event means."""
        self._hass = hass
        self._process = process
        self._servers: dict[str, Server] = {}
        self._local_only: dict[str, bool] = {}
        self._gets: dict[str, datetime] = {}

    @callback
    def sync(self, servers: Iterable[Server]) -> None:
        """Register the webhooks of these servers and no others.

        What stays as it is is not touched: between the end of a webhook and its return
        Home Assistant would answer that all is well, and a play would be lost.
        """
        wanted = {server.webhook_id: server for server in servers}
        for webhook_id in self._servers.keys() - wanted.keys():
            webhook.async_unregister(self._hass, webhook_id)
            del self._servers[webhook_id], self._local_only[webhook_id]
            self._gets.pop(webhook_id, None)
        for webhook_id, server in wanted.items():
            if self._local_only.get(webhook_id) is not server.local_only:
                webhook.async_unregister(self._hass, webhook_id)
                webhook.async_register(
                    self._hass,
                    DOMAIN,
                    server.entry.title,
                    webhook_id,
                    self._async_handle,
                    local_only=server.local_only,
                    allowed_methods=_METHODS,
                )
                self._local_only[webhook_id] = server.local_only
            self._servers[webhook_id] = server

    async def _async_handle(
        self, hass: HomeAssistant, webhook_id: str, request: Request
    ) -> Response:
        server = self._servers[webhook_id]
        if request.method not in (METH_POST, METH_PUT):
            if request.method == METH_GET and not _is_browser(request):
                self._note_get(webhook_id, server)
            return _response(
                Answer(
                    Outcome.IGNORED,
                    "this is the address of a webhook: have the server POST to it",
                ),
                HTTPStatus.METHOD_NOT_ALLOWED,
            )
        if server.limit.is_exhausted(hass.loop.time()):
            answer = Answer(Outcome.REJECTED, TOO_MANY)
            server.note(answer, None, dt_util.utcnow())
            return _response(answer, HTTPStatus.TOO_MANY_REQUESTS)
        body = await _read(request)
        if body is None:
            answer = Answer(
                Outcome.REJECTED, f"the body is larger than {MAX_BODY} bytes"
            )
            server.note(answer, None, dt_util.utcnow())
            return _response(answer, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        # A sender that hangs up must not take a play with it.
        task = hass.async_create_task(
            self._async_answer(server, body, request.headers.get("Content-Type", "")),
            f"{DOMAIN} webhook",
            eager_start=True,
        )
        return await asyncio.shield(task)

    @callback
    def _note_get(self, webhook_id: str, server: Server) -> None:
        """Say that what has come may be what a redirect has left of a webhook."""
        now = dt_util.utcnow()
        before = self._gets.get(webhook_id)
        if before is not None and now - before < GET_INTERVAL:
            return
        self._gets[webhook_id] = now
        answer = Answer(
            Outcome.REJECTED,
            "came as a GET, without content: a redirect makes that of a webhook; "
            "give the server the URL that the redirect leads to",
        )
        server.note(answer, None, now)

    async def _async_answer(
        self, server: Server, raw: bytes, content_type: str
    ) -> Response:
        is_large = len(raw) > LARGE_BODY
        try:
            body = (
                await self._hass.async_add_executor_job(decode, raw, content_type)
                if is_large
                else decode(raw, content_type)
            )
            if (answer := server.keep_up(body.payload, dt_util.utcnow())) is not None:
                return _response(answer)
            event = (
                await self._hass.async_add_executor_job(server.parse, body.payload)
                if is_large
                else server.parse(body.payload)
            )
        except PayloadError as err:
            return self._refuse(server, None, str(err), HTTPStatus.BAD_REQUEST)
        if not server.limit.allows(self._hass.loop.time(), is_play=event.completed):
            return self._refuse(server, event, TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS)
        if not server.webhook_enabled:
            answer = Answer(
                Outcome.IGNORED,
                "the webhook is switched off",
                event.name,
                event.title,
                is_logged=not event.routine,
            )
            server.note(answer, event, dt_util.utcnow())
            return _response(answer)
        return _response(await self._process(server, event, body.thumb))

    def _refuse(
        self, server: Server, event: MediaEvent | None, reason: str, status: HTTPStatus
    ) -> Response:
        if event is None and not server.limit.allows(
            self._hass.loop.time(), is_play=False
        ):
            status = HTTPStatus.TOO_MANY_REQUESTS
        answer = Answer(
            Outcome.REJECTED,
            reason,
            event.name if event else None,
            is_logged=event is None or not event.routine,
        )
        server.note(answer, event, dt_util.utcnow())
        return _response(answer, status)


def _is_browser(request: Request) -> bool:
    """Return whether a person looks at the address: servers do not ask for a page."""
    return "text/html" in request.headers.get(ACCEPT, "")


async def _read(request: Request) -> bytes | None:
    """Return the body, None as soon as it turns out to be too large."""
    body = b""
    # Asked for once: what comes through the cloud offers its content anew each time.
    content = request.content
    while chunk := await content.read(MAX_BODY + 1):
        body = body + chunk if body else chunk
        if len(body) > MAX_BODY:
            return None
    return body


def _response(answer: Answer, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return an answer as HTTP."""
    content: dict[str, object] = {
        "outcome": answer.outcome.value,
        "reason": answer.reason,
    }
    if answer.event is not None:
        content["event"] = answer.event
    if answer.title is not None:
        content["title"] = answer.title.label
        content["ids"] = answer.title.ids
    content["viewers"] = answer.viewers
    return Response(
        body=json_bytes(content), status=status, content_type="application/json"
    )
