"""Running the integration in a real Home Assistant: no harness, no doubles."""
