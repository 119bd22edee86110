"""Verbs: one module per box of the pipeline, each with `run(params, ...)`."""
