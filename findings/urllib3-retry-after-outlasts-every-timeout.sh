#!/usr/bin/env bash
# urllib3 2.8.0 with requests 2.34.2: a call with a timeout of 5 s sleeps for an hour.
#
# One would guess that timeout=5 and Retry(total=1, backoff_max=10) bound how long a call takes:
# two attempts of 5 s, and 10 s between them. Where an answer of a status in status_forcelist has
# a Retry-After, that is slept for instead, neither bounded by backoff_max nor by the timeout, but
# by retry_after_max only, six hours unless it is given.
#
# It matters because the call sleeps in a thread that nobody can wake: a server that is busy for
# an hour keeps whatever waits for that thread from ending.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check requests==2.34.2 urllib3==2.8.0

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from threading import Thread
import time

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry


class Busy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(429)
        self.send_header("Retry-After", "3600")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Busy)
Thread(target=server.serve_forever, daemon=True).start()
slept = []
time.sleep = slept.append

print("urllib3", version("urllib3"), "requests", version("requests"))
for more in ({}, {"retry_after_max": 5}):
    slept.clear()
    session = requests.Session()
    retries = Retry(total=1, backoff_max=10, status_forcelist=[429], **more)
    session.mount("http://", HTTPAdapter(max_retries=retries))
    try:
        session.get(f"http://127.0.0.1:{server.server_port}/", timeout=5)
    except requests.exceptions.RetryError:
        pass
    print(more or "as it is", "slept:", slept, "s")
server.shutdown()
PYTHON

cat >"$folder/expected" <<'OUTPUT'
urllib3 2.8.0 requests 2.34.2
as it is slept: [3600] s
{'retry_after_max': 5} slept: [5] s
OUTPUT

cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || {
  echo "This is not what was seen before" >&2
  exit 1
}
