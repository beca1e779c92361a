"""SQL over a dataset: what analysts may ask, in a process of its own that ends when it must."""
