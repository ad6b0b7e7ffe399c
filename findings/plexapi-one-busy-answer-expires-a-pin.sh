#!/usr/bin/env bash
# plexapi 4.18.2: a PIN counts as expired after any single answer that went wrong.
#
# One would guess that MyPlexPinLogin.expired tells that plex.tv does not know the PIN any more,
# which it says with 404. One 429, or a lost connection, sets it as well, and finished with it: a
# loop that asks until finished ends although the person may still confirm, and a PIN that lasts
# for a quarter of an hour is given up in its first minute. A further look would have found the
# token.
#
# It matters because whoever signs in is told that the code has expired while it has not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'PlexAPI==4.18.2' requests==2.34.2 requests-mock==1.12.1

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
from importlib.metadata import version

from plexapi.myplex import MyPlexPinLogin
import requests_mock

pin = '<pin id="1" code="ABCD" clientIdentifier="c" authToken="{}"/>'

print("plexapi", version("PlexAPI"))
with requests_mock.Mocker() as web:
    web.post(MyPlexPinLogin.PINS, status_code=201, text=pin.format(""))
    web.get(
        f"{MyPlexPinLogin.PINS}/1",
        [{"status_code": 429, "text": "busy"}, {"text": pin.format("token")}],
    )
    login = MyPlexPinLogin()
    print("pin:", login.pin)
    print("after 429:", login.checkLogin(), "expired", login.expired, "finished", login.finished)
    print("a moment later:", login.checkLogin(), "token", login.token)
PYTHON

cat >"$folder/expected" <<'OUTPUT'
plexapi 4.18.2
pin: ABCD
after 429: False expired True finished True
a moment later: True token token
OUTPUT

cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || {
  echo "This is not what was seen before" >&2
  exit 1
}
