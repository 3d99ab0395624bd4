"""The engine in a process of its own, so that what kills it kills no conversation but its own."""
