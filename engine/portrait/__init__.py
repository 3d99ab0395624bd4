"""The embedded default engine: one portrait, small models, two CPU cores."""
