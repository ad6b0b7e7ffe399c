"""Tests of what is particular to Jellyfin and Emby."""
