"""Prefect flows: when and where the pipeline runs. What runs, and in which order, stands in dvc.yaml."""

from dda import quiet

quiet.apply()  # before Prefect is imported
