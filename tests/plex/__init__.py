"""Tests of what is particular to Plex."""
