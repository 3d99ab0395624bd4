"""Signalling, media tracks and pacing. Knows the engine only through its torch-free surface."""
