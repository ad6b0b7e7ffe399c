"""Custom integrations, as Home Assistant expects to find them."""
