#!/usr/bin/env bash
# plexapi 4.18.2: two entries of a history are equal when they are of the same film.
#
# One would guess that entries of PlexServer.history() that were watched at different times, and
# have different historyKeys, are different: `entry in seen` and `list.index` are the
# usual ways to tell what is new. Objects are compared by the key of the item alone.
#
# It matters because whoever looks for new entries in this way never sees that a film was watched
# again.
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
HISTORY = (
    '<MediaContainer totalSize="2" size="2">'
    + "".join(
        f'<Video type="movie" historyKey="/status/sessions/history/{number}" accountID="1"'
        f' key="/library/metadata/40" ratingKey="40" title="Low Water" viewedAt="{viewed}"/>'
        for number, viewed in ((2, 1795000000), (1, 1790000000))
    )
    + "</MediaContainer>"
)

print("plexapi", version("PlexAPI"))
with requests_mock.Mocker() as web:
    web.get(requests_mock.ANY, text='<MediaContainer machineIdentifier="m" version="1.43.0"/>')
    web.get(f"{URL}/status/sessions/history/all", text=HISTORY)
    again, first = PlexServer(URL, "t").history()
print("watched at the same time:", again.viewedAt == first.viewedAt)
print("same entry:", again.historyKey == first.historyKey)
print("equal:", again == first)
print("new, seen before the first:", [entry for entry in (again, first) if entry not in [first]])
PYTHON

cat >"$folder/expected" <<'OUTPUT'
plexapi 4.18.2
watched at the same time: False
same entry: False
equal: True
new, seen before the first: []
OUTPUT

cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || {
  echo "This is not what was seen before" >&2
  exit 1
}
