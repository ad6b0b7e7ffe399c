#!/usr/bin/env bash
# plexapi 4.18.2: adding a webhook to an account removes the webhooks that it has.
#
# One would guess that MyPlexAccount.addWebhook(url) adds a URL to those that the account has.
# It sends the whole list, made of what this object has read before; of an account that has
# just been signed in to, that is an empty list. Only after a call of webhooks(), whose result may
# be thrown away, it adds.
#
# It matters because an account's webhooks belong to other programs too: their owner finds out
# weeks later, when something has not been recorded for as long.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'PlexAPI==4.18.2' requests==2.34.2

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
import io
from importlib.metadata import version
from urllib.parse import parse_qs

import requests


class Answers(requests.adapters.BaseAdapter):
    """Answers requests with what `reply` makes of them."""

    def __init__(self, reply):
        super().__init__()
        self.reply = reply

    def send(self, request, **_):
        status, text = self.reply(request)
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.raw = io.BytesIO(text.encode())
        response.encoding = "utf-8"
        return response

    def close(self):
        pass


def session_with(reply):
    session = requests.Session()
    session.mount("https://", Answers(reply))
    session.mount("http://", Answers(reply))
    return session


kept = ["https://tracker.example/hook"]


def plex_tv(request):
    if not request.url.endswith("/webhooks"):
        return 200, '<user id="7" uuid="u7" username="ann" authToken="t" email="a@example.org" scrobbleTypes=""><subscription active="1"/><profile/><services/></user>'
    if request.method == "POST":
        kept[:] = [url for url in parse_qs(request.body).get("urls[]", []) if url]
    return 200, "<webhooks>" + "".join(f'<webhook url="{url}"/>' for url in kept) + "</webhooks>"


from plexapi.myplex import MyPlexAccount

print("plexapi", version("PlexAPI"))
account = MyPlexAccount(token="t", session=session_with(plex_tv))
account.addWebhook("https://home.example/hook")
print("added at once:", kept)

kept[:] = ["https://tracker.example/hook"]
account = MyPlexAccount(token="t", session=session_with(plex_tv))
account.webhooks()
account.addWebhook("https://home.example/hook")
print("added after webhooks():", kept)
PYTHON

cat >"$folder/expected" <<'OUTPUT'
plexapi 4.18.2
added at once: ['https://home.example/hook']
added after webhooks(): ['https://tracker.example/hook', 'https://home.example/hook']
OUTPUT

cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || {
  echo "This is not what was seen before" >&2
  exit 1
}
