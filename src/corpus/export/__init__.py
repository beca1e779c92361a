"""A version as shards for training: in an order that a seed fixes, under a signed manifest, resumable."""
