"""Great Expectations: named checks on a table, with Data Docs for people."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Expectation:
    """A sentence that must be true of every row: `kind` of these columns, with a value where the kind needs one."""

    name: str
    kind: str
    columns: tuple[str, ...]
    value: Any = None
    severity: str = "critical"


Checked = Mapping[str, tuple[pd.DataFrame, Sequence[Expectation]]]
"""What to check: a table and what must hold for it, by the table's name."""


def check(checked: Checked, documents: Path) -> list[dict[str, Any]]:
    """Verdicts in the order of the tables and suites: sentence, severity, success, count of unexpected rows, of rows.

    One Data Docs site is written below `documents`; it carries the time, the verdicts do not. An expectation that could
    not be evaluated counts as failed.
    """
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    _add_docs(context, documents)
    verdicts = []
    for name, (table, suite) in checked.items():
        results = _validate(context, name, table, suite)
        verdicts += [_verdict(name, expectation, results[expectation.name]) for expectation in suite]
    context.build_data_docs(site_names=["docs"])  # once: an action of each checkpoint would build all pages each time
    return verdicts


def _validate(context: Any, name: str, table: pd.DataFrame, suite: Sequence[Expectation]) -> dict[str, Any]:
    """What Great Expectations found, by sentence."""
    import great_expectations as gx

    batch = context.data_sources.add_pandas(name).add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    built = gx.ExpectationSuite(name, expectations=[_build(expectation) for expectation in suite])
    definition = gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(built))
    known = context.validation_definitions.add(definition)
    checkpoint = context.checkpoints.add(gx.Checkpoint(name=name, validation_definitions=[known]))
    result = checkpoint.run(batch_parameters={"dataframe": _plain(table)})
    (validation,) = result.run_results.values()
    return {one.expectation_config.meta["sentence"]: one for one in validation.results}


def _build(expectation: Expectation) -> Any:
    import great_expectations.expectations as gxe

    first, *others = expectation.columns
    options: dict[str, Any] = {
        "severity": expectation.severity,
        "meta": {"sentence": expectation.name},
    }
    if expectation.kind == "equal":
        return gxe.ExpectColumnPairValuesToBeEqual(
            column_A=first, column_B=others[0], ignore_row_if="neither", **options
        )
    if expectation.kind == "different":
        return gxe.ExpectSelectColumnValuesToBeUniqueWithinRecord(column_list=list(expectation.columns), **options)
    if expectation.kind == "unique" and others:
        return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(expectation.columns), **options)
    if expectation.kind == "unique":
        return gxe.ExpectColumnValuesToBeUnique(column=first, **options)
    if expectation.kind == "in_set":
        return gxe.ExpectColumnValuesToBeInSet(column=first, value_set=expectation.value, **options)
    bound = {"at_most": "max_value", "at_least": "min_value"}[expectation.kind]
    return gxe.ExpectColumnValuesToBeBetween(column=first, **{bound: expectation.value}, **options)


def _add_docs(context: Any, documents: Path) -> None:
    store = {
        "class_name": "TupleFilesystemStoreBackend",
        "base_directory": str(documents.resolve()),
    }
    index = {"class_name": "DefaultSiteIndexBuilder"}
    config = {
        "class_name": "SiteBuilder",
        "store_backend": store,
        "site_index_builder": index,
    }
    context.add_data_docs_site(site_name="docs", site_config=config)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table with missing text as empty text: for a check, a table that two files lack is equal on both."""
    text = table.select_dtypes(include=["str", "object"]).columns
    return table.assign(**{name: table[name].fillna("").astype(object) for name in text})


def _verdict(table: str, expectation: Expectation, one: Any) -> dict[str, Any]:
    elements = one.result.get("element_count", 0)
    # to Great Expectations a missing value is neither expected nor unexpected; here every row must hold
    missing = one.result.get("missing_count", 0)
    unexpected = missing + one.result.get("unexpected_count", 0 if one.success else elements)
    return {
        "table": table,
        "name": expectation.name,
        "severity": expectation.severity,
        "success": bool(one.success) and not missing,
        "unexpected": int(unexpected),
        "elements": int(elements),
    }
