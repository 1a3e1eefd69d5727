"""The Data page: health of caches, import, export, and a box for SQL."""
