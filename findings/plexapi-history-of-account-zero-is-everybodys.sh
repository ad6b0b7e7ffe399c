#!/usr/bin/env bash
# plexapi 4.18.2: the history of account 0 is the history of everybody.
#
# One would guess that PlexServer.history(accountID=0) returns what account 0 has watched, and
# that mindate bounds it: account 0 exists on every server (what is played without signing in is
# its). A condition whose value is 0 is left out of the request, so the answer is everything that
# anybody has watched.
#
# It matters because what is read in this way is credited to one person: the household's whole
# history, without an error.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'PlexAPI==4.18.2' requests==2.34.2

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
import io
from importlib.metadata import version
from urllib.parse import parse_qs, urlsplit

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


plays = [("0", "The Salt Road"), ("1", "Low Water"), ("5", "Fog Signal")]


def server(request):
    asked = parse_qs(urlsplit(request.url).query).get("accountID")
    found = [play for play in plays if asked is None or play[0] in asked]
    if "history" not in request.url:
        return 200, '<MediaContainer machineIdentifier="m" version="1.43.0"/>'
    return 200, f'<MediaContainer totalSize="{len(found)}" size="{len(found)}">' + "".join(
        f'<Video type="movie" key="/library/metadata/{account}" title="{title}"'
        f' accountID="{account}" viewedAt="1790000000"/>'
        for account, title in found
    ) + "</MediaContainer>"


from plexapi.server import PlexServer

print("plexapi", version("PlexAPI"))
plex = PlexServer("http://plex.example:32400", "t", session=session_with(server))
for account in (5, 0):
    print(f"account {account}:", [play.title for play in plex.history(accountID=account)])
PYTHON

cat >"$folder/expected" <<'OUTPUT'
plexapi 4.18.2
account 5: ['Fog Signal']
account 0: ['The Salt Road', 'Low Water', 'Fog Signal']
OUTPUT

cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || {
  echo "This is not what was seen before" >&2
  exit 1
}
