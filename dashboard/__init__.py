"""The windows: pages to browse features, to ask again, and to watch runs; see app.py."""
