"""The avatar engine: speech in, frames out. Import `engine.api` for its torch-free surface."""
