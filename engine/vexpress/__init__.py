"""The published V-Express model: its networks and its offline pipeline."""
