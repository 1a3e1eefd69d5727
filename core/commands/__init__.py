"""The commands of `gloss`, one module a theme; core/cli.py puts them together."""
