"""What is kept on disk, in Home Assistant's own storage folder."""
