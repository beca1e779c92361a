"""Corpus: training datasets from people's posts, decided post by post, versioned and explained."""

__version__ = "0.1.0"
