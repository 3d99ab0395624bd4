"""The V-Express model as a live stream: sound in, frames out."""
