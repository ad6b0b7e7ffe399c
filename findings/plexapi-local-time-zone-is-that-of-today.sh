#!/usr/bin/env bash
# plexapi 4.18.2: with the time zone set to "local", times of summer are told in winter time.
#
# One would guess that utils.setDatetimeTimezone("local"), or timezone=local in the
# configuration, yields times as clocks of this place showed them. It takes the offset from UTC
# of the moment in which it is called, for all times: in Amsterdam, asked in December, what was
# watched at 00:30 on a day in July is told as 23:30 of the day before. A name such as
# "Europe/Amsterdam" is right.
#
# It matters to whoever counts by day, or compares with times of another program.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'PlexAPI==4.18.2' requests==2.34.2 tzdata==2025.2

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
from datetime import UTC, datetime
from importlib.metadata import version
import os
import time

os.environ["TZ"] = "Europe/Amsterdam"
time.tzset()

from plexapi import utils

print("plexapi", version("PlexAPI"))
# One of the two is in the other half of the year, whenever this runs.
moments = [datetime(2026, month, 14, 22, 30, tzinfo=UTC) for month in (1, 7)]
for zone in ("local", "Europe/Amsterdam"):
    utils.setDatetimeTimezone(zone)
    right = [
        utils.toDatetime(int(moment.timestamp())).isoformat()
        == moment.astimezone().isoformat()
        for moment in moments
    ]
    print(zone, "as clocks showed it:", "always" if all(right) else f"{right.count(True)} of 2")
PYTHON

cat >"$folder/expected" <<'OUTPUT'
plexapi 4.18.2
local as clocks showed it: 1 of 2
Europe/Amsterdam as clocks showed it: always
OUTPUT

cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || {
  echo "This is not what was seen before" >&2
  exit 1
}
