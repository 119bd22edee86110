"""What the hub of models answers when it gives nothing, as sentences."""

from collections.abc import Mapping
from typing import Any


def reason(row: Mapping[str, Any], error: Exception, catalog: str) -> str:
    """Why the hub gave nothing of a row's `source`, and what to do about it. Tells nothing of the token.

    `catalog` names the table of the row.
    """
    from huggingface_hub import errors, get_token

    page = f"https://huggingface.co/{row['source']}"
    if get_token() is None:
        gated = f"accept its licence at {page} and set HF_TOKEN to a token of that account"
    else:
        gated = f"your token does not open it, accept its licence at {page} with the token's account"
    answers = {
        errors.GatedRepoError: f"it is gated: {gated}",
        errors.RepositoryNotFoundError: f"no such repository, or a hidden one: correct `source` in {catalog} "
        "or set HF_TOKEN",
        errors.RevisionNotFoundError: f"no revision {row.get('revision') or 'main'}: correct `revision` in {catalog}",
        errors.HFValidationError: f"that is not the name of a repository: correct `source` in {catalog}",
    }
    return next((told for kind, told in answers.items() if isinstance(error, kind)), None) or _out_of_reach(error)


def _out_of_reach(error: Exception) -> str:
    """Why the hub did not even answer about a repository."""
    from huggingface_hub import constants, errors

    elsewhere = "or put its folder somewhere and give the row a `path`"
    absent = isinstance(error, errors.LocalEntryNotFoundError)
    cause = error.__cause__ if absent else error
    if isinstance(cause, errors.HfHubHTTPError):
        status = cause.response.status_code
        step = "correct HF_TOKEN or unset it" if status == 401 else f"try again later, {elsewhere}"
        return f"the hub answers with status {status}: {step}"
    if constants.HF_HUB_OFFLINE:
        return f"it is not cached and HF_HUB_OFFLINE is set: unset that once, {elsewhere}"
    if absent or isinstance(error, errors.HTTPError):
        return f"it is not cached and the hub is out of reach: connect once, {elsewhere}"
    return f"{(str(error) or type(error).__name__).splitlines()[0]}: try again, {elsewhere}"
