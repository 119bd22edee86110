"""The `dda` command. A verb's code is imported when the verb runs, so that help and mistakes answer at once."""

import sys

from dda.cli import detecting, judging, pipeline, promotion, registry, serving, sets
from dda.cli.application import app

__all__ = ["app", "detecting", "judging", "main", "pipeline", "promotion", "registry", "serving", "sets"]


def main() -> None:
    """Run the command; a wrong setup or a failed audit is told in its own words, without a traceback."""
    from dda import quiet
    from dda.core.errors import AuditError, SetupError

    quiet.apply()
    try:
        app()
    except (SetupError, AuditError) as error:
        print(f"dda: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
