"""Names used in more than one place."""

from typing import Final

DOMAIN: Final = "media_scrobbler"

CONF_KIND: Final = "kind"
KIND_VIEWER: Final = "viewer"

CONF_ACCOUNT_TOKEN: Final = "account_token"
CONF_ACCOUNTS: Final = "accounts"
CONF_CLOUDHOOK: Final = "cloudhook_url"
CONF_LOCAL_ONLY: Final = "local_only"
CONF_MEDIA_TYPES: Final = "media_types"
CONF_NEW_VIEWERS: Final = "new_viewers"
CONF_NEW_URL: Final = "new_url"
CONF_OBTAINED: Final = "token_obtained"
CONF_PERSON: Final = "person"
CONF_PLAYERS: Final = "players"
CONF_REGISTERED_URL: Final = "registered_url"
CONF_SERVER: Final = "server"
CONF_SERVERS: Final = "servers"
CONF_USER_ID: Final = "user_id"
CONF_VIEWER: Final = "viewer"
CONF_WEBHOOK_ENABLED: Final = "webhook_enabled"

EVENT_SCROBBLE: Final = f"{DOMAIN}_scrobble"
EVENT_PLAYBACK: Final = f"{DOMAIN}_playback"
EVENT_RATING: Final = f"{DOMAIN}_rating"
EVENT_LIBRARY_ADDED: Final = f"{DOMAIN}_library_added"
EVENT_SERVER: Final = f"{DOMAIN}_server"
