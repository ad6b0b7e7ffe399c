#!/usr/bin/env bash
# plexapi 4.18.2: the history of account 0 is the history of everybody.
#
# One would guess that PlexServer.history(accountID=0) returns what account 0 has watched, as what
# is played without signing in is of that account. A condition whose value is 0 is left out of the
# request, so the answer is everything that anybody has watched.
#
# It matters because what is read in this way is credited to one person: the household's whole
# history, without an error.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'PlexAPI==4.18.2' requests==2.34.2 requests-mock==1.12.1

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
from importlib.metadata import version

from plexapi.server import PlexServer
import requests_mock

URL = "http://plex.example:32400"
plays = [("0", "The Salt Road"), ("1", "Low Water"), ("5", "Fog Signal")]


def history(request, context):
    asked = request.qs.get("accountid")
    found = [play for play in plays if asked is None or play[0] in asked]
    return f'<MediaContainer totalSize="{len(found)}" size="{len(found)}">' + "".join(
        f'<Video type="movie" key="/library/metadata/{account}" title="{title}"'
        f' accountID="{account}" viewedAt="1790000000"/>'
        for account, title in found
    ) + "</MediaContainer>"


print("plexapi", version("PlexAPI"))
with requests_mock.Mocker() as web:
    web.get(requests_mock.ANY, text='<MediaContainer machineIdentifier="m" version="1.43.0"/>')
    web.get(f"{URL}/status/sessions/history/all", text=history)
    plex = PlexServer(URL, "t")
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
