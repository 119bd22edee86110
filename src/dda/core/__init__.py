"""Nouns, pure: arrays in, arrays or numbers out; no paths, no params, no services."""
