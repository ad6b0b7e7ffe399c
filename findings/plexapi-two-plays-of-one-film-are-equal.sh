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
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'PlexAPI==4.18.2' requests==2.34.2

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
import io
from importlib.metadata import version

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


def server(request):
    if "history" not in request.url:
        return 200, '<MediaContainer machineIdentifier="m" version="1.43.0"/>'
    return 200, '<MediaContainer totalSize="2" size="2">' + "".join(
        f'<Video type="movie" historyKey="/status/sessions/history/{number}" accountID="1"'
        f' key="/library/metadata/40" ratingKey="40" title="Low Water" viewedAt="{viewed}"/>'
        for number, viewed in ((2, 1795000000), (1, 1790000000))
    ) + "</MediaContainer>"


from plexapi.server import PlexServer

print("plexapi", version("PlexAPI"))
plex = PlexServer("http://plex.example:32400", "t", session=session_with(server))
again, first = plex.history()
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
