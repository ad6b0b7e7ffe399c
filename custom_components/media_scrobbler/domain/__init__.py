"""What is watched and when it counts: pure, without Home Assistant and without I/O."""
