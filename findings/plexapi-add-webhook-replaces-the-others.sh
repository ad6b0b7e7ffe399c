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
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'PlexAPI==4.18.2' requests==2.34.2 requests-mock==1.12.1

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
from importlib.metadata import version
from urllib.parse import parse_qs

from plexapi.myplex import MyPlexAccount
import requests_mock


kept = []


def webhooks(request, context):
    if request.method == "POST":
        kept[:] = [url for url in parse_qs(request.text).get("urls[]", []) if url]
    return "<webhooks>" + "".join(f'<webhook url="{url}"/>' for url in kept) + "</webhooks>"


print("plexapi", version("PlexAPI"))
for when in ("at once", "after webhooks()"):
    kept[:] = ["https://tracker.example/hook"]
    with requests_mock.Mocker() as web:
        web.register_uri(
            requests_mock.ANY,
            requests_mock.ANY,
            text='<user id="7" uuid="u7" username="ann" authToken="t" email="a@example.org"'
            ' scrobbleTypes=""><subscription active="1"/><profile/><services/></user>',
        )
        web.register_uri(requests_mock.ANY, MyPlexAccount.WEBHOOKS, text=webhooks)
        account = MyPlexAccount(token="t")
        if when != "at once":
            account.webhooks()
        account.addWebhook("https://home.example/hook")
    print(f"added {when}:", kept)
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
