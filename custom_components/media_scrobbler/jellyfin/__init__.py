"""Jellyfin, and Emby whose webhooks share its vocabulary."""
