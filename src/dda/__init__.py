"""Dual Data Alignment as a reproducible pipeline: photos to aligned pairs to a judged detector of generated images."""

__version__ = "0.1.0"
