"""The streaming core, shared by both engines."""
