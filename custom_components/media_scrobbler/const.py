"""Names used in more than one place."""

from typing import Final

DOMAIN: Final = "media_scrobbler"

CONF_KIND: Final = "kind"
KIND_VIEWER: Final = "viewer"

CONF_ACCOUNT_TOKEN: Final = "account_token"
CONF_ACCOUNTS: Final = "accounts"
CONF_ALSO_FOR: Final = "also_for"
CONF_BOTH_WAYS: Final = "both_ways"
CONF_CHECK_OFF: Final = "check_off"
CONF_CLOUDHOOK: Final = "cloudhook_url"
CONF_FOLLOWING: Final = "following"
CONF_HEALING_INTERVAL: Final = "healing_interval"
CONF_IMPORT_INTERVAL: Final = "import_interval"
CONF_LOCAL_ONLY: Final = "local_only"
CONF_MEDIA_TYPES: Final = "media_types"
CONF_NIGHTLY_SCAN: Final = "nightly_scan"
CONF_NEW_VIEWERS: Final = "new_viewers"
CONF_NEW_URL: Final = "new_url"
CONF_OBTAINED: Final = "token_obtained"
CONF_PERSON: Final = "person"
CONF_PLAYERS: Final = "players"
CONF_REGISTERED_URL: Final = "registered_url"
CONF_SERVER: Final = "server"
CONF_SERVERS: Final = "servers"
CONF_SYNC_INTERVAL: Final = "sync_interval"
CONF_UNFOLLOWING: Final = "unfollowing"
CONF_USER_ID: Final = "user_id"
CONF_VIEWER: Final = "viewer"
CONF_WEBHOOK_ENABLED: Final = "webhook_enabled"

DEFAULT_HEALING_INTERVAL: Final = 15
"""Minutes between two looks at what a server knows to have been completed."""

EVENT_SCROBBLE: Final = f"{DOMAIN}_scrobble"
EVENT_PLAYBACK: Final = f"{DOMAIN}_playback"
EVENT_RATING: Final = f"{DOMAIN}_rating"
EVENT_LIBRARY_ADDED: Final = f"{DOMAIN}_library_added"
EVENT_SERVER: Final = f"{DOMAIN}_server"
EVENT_WATCHLIST_AVAILABLE: Final = f"{DOMAIN}_watchlist_available"
