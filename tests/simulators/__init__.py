"""Stand-ins for the media servers, speaking to Home Assistant over real HTTP.

Nothing in here imports a test framework or the integration: the same stand-ins serve the
tests and the demo, and what they send is written from what the servers send, not from what
the integration happens to read.
"""
