"""MLflow's model registry: versions of a detector, the aliases that name them, and what is kept with each."""

import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError, did_you_mean
from dda.io import candidates, mlflow_store, registry_lock, tracking
from dda.io.candidates import Candidate
from dda.io.mlflow_store import is_missing, told
from dda.io.pyfuncs import PICKLED, no_pickle

EXPERIMENT = "dda-registry"
DETECTOR = "detector"


@dataclass(frozen=True)
class Version:
    """A version of the model as the store has it; `created_s` is in seconds since 1970."""

    number: int
    run_id: str
    digest: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    created_s: float
    metrics: Mapping[str, float]
    model_id: str = ""


class Registry:
    """The versions of one registered model."""

    def __init__(self, model: str) -> None:
        self.model = model

    @classmethod
    def open(cls, model: str) -> "Registry":
        """The registry of a model; nothing is made. Raises SetupError where the store is away."""
        mlflow_store.check_answers()
        return cls(model)

    @cached_property
    def client(self) -> Any:
        """MLflow's client; a local store is made with it."""
        return mlflow_store.client()

    @cached_property
    def experiment(self) -> str:
        """The id of the experiment that keeps the versions' runs."""
        return mlflow_store.experiment(self.client, EXPERIMENT)

    def versions(self) -> list[Version]:
        """All versions, the newest first; none where there is no such model or no store yet."""
        from mlflow.exceptions import MlflowException

        if not tracking.has_runs():
            return []
        with told("read versions"):
            try:
                named = self.client.get_registered_model(self.model).aliases
            except MlflowException as error:
                if is_missing(error):
                    return []
                raise
            found = everything(self.client.search_model_versions, f"name = '{self.model}'")
            runs = everything(lambda query, **page: self.client.search_runs([self.experiment], query, **page), "")
        metrics = {run.info.run_id: run.data.metrics for run in runs}
        versions = [_version(one, named, metrics.get(one.run_id, {})) for one in found]
        return sorted(versions, key=lambda version: -version.number)

    def version(self, name: str) -> Version:
        """The version of a number or an alias. Raises SetupError where there is none."""
        versions = self.versions()
        known = {word: version for version in versions for word in (str(version.number), *version.aliases)}
        if name not in known:
            raise SetupError(
                f"no version {name!r} of {self.model}. {did_you_mean(name, known)} Make one by `dda register`"
            )
        return known[name]

    def alias(self, name: str) -> Version | None:
        """The version that an alias names; None where nothing bears it."""
        return next((version for version in self.versions() if name in version.aliases), None)

    def find(self, digest: str) -> Version | None:
        """The version of a detector; the newest, should there be several."""
        return next((version for version in self.versions() if version.digest == digest), None)

    def create(self, candidate: Candidate) -> Version:
        """Make a version of a detector that has none; to be called under the lock."""
        with told(f"register {candidate.name}"):
            number = candidates.write(self.client, self.experiment, self.model, candidate)
        return self.version(number)

    def complete(self, version: Version, candidate: Candidate) -> Version:
        """Add to a version what the candidate has and it has not, and replace what is another; under the lock."""
        for name in candidate.new_files(version.tags):
            self.attach(version, candidate.files / name, Path(name).parent.as_posix())
        with told(f"complete version {version.number} of {self.model}"):
            candidates.log_metrics(self.client, version.run_id, version.model_id, candidate.metrics)
        self.tell(version, candidate.new_tags(version.tags))
        return self.version(str(version.number))

    def tell(self, version: Version, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        with told(f"tag version {version.number} of {self.model}"):
            for name, value in tags.items():
                self.client.set_model_version_tag(self.model, str(version.number), name, value)

    def move(self, alias: str, version: Version) -> None:
        """Let an alias name this version, in one request."""
        with told(f"move {alias}"):
            self.client.set_registered_model_alias(self.model, alias, str(version.number))

    def remove(self, alias: str) -> None:
        """Let an alias name nothing, in one request."""
        with told(f"remove {alias}"):
            self.client.delete_registered_model_alias(self.model, alias)

    def holds(self, version: Version, name: str) -> bool:
        """Whether an artifact of that name, a file or a folder, is kept with the version's run."""
        above = name.rpartition("/")[0] or None
        with told(f"list what is kept with version {version.number}"):
            return any(one.path == name for one in self.client.list_artifacts(version.run_id, above))

    def attach(self, version: Version, path: Path, name: str) -> None:
        """Put a file, or the files of a folder, below `name` (or "." for the top) of the version's run."""
        place = None if name in ("", ".") else name
        with told(f"keep {path.name}"):
            send = self.client.log_artifacts if path.is_dir() else self.client.log_artifact
            send(version.run_id, str(path), place)

    def fetch(self, version: Version, name: str, folder: Path) -> Path:
        """Copy what is kept with a version into a folder: `detector`, or any artifact of its run, such as
        `predictions`, `lineage/dvc.lock`, `fixtures.json`. Where it lies then.

        Raises SetupError where the version has no such thing.
        """
        first, _, rest = name.partition("/")
        with told(f"fetch {name} of version {version.number}"):
            if first == DETECTOR:
                model = self.client.get_model_version_download_uri(self.model, str(version.number))
                return _downloaded("/".join(filter(None, (model, "artifacts", DETECTOR, rest))), folder)
            return _downloaded(f"{self.client.get_run(version.run_id).info.artifact_uri}/{name}", folder)

    def load(self, name: str, device: str | None = None) -> Any:
        """The model of a number or an alias as MLflow gives it to anybody, without a pickle; on a device of torch's.

        Raises SetupError where it cannot be had, or could only be loaded by a pickle.
        """
        import mlflow.pyfunc

        uri = f"models:/{self.model}{'/' if name.isdigit() else '@'}{name}"
        scratch = tempfile.TemporaryDirectory(prefix="dda-served-")
        with told(f"load {uri}"):
            number = name if name.isdigit() else self.client.get_model_version_by_alias(self.model, name).version
            place = self.client.get_model_version_download_uri(self.model, str(number))
            folder = _downloaded(place, Path(scratch.name))
            pickled = sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLED)
            if pickled:
                raise SetupError(f"{uri} holds {pickled[0]}, which is or may be a pickle, and is not loaded")
            with no_pickle():
                loaded = mlflow.pyfunc.load_model(str(folder), model_config={"device": device})
        weakref.finalize(loaded, scratch.cleanup)
        return loaded

    @contextmanager
    def locked(self, doing: str, wait_s: float = 60) -> Iterator[None]:
        """Be the only writer during a block, over all machines (io.registry_lock).

        Raises SetupError where another one still writes after `wait_s`.
        """
        with registry_lock.held(self.client, self.model, doing, wait_s):
            yield


def _version(found: Any, aliases: Mapping[str, str], metrics: Mapping[str, float]) -> Version:
    """A version from MLflow's own record of it."""
    named = tuple(sorted(alias for alias, number in aliases.items() if str(number) == str(found.version)))
    created_s, tags = found.creation_timestamp / 1000, dict(found.tags)
    digest = tags.get(candidates.DIGEST, "")
    return Version(
        int(found.version), found.run_id, digest, tags, named, created_s, metrics, tags.get(candidates.MODEL, "")
    )


def everything(search: Any, query: str) -> list[Any]:
    """Everything that a search finds, page by page."""
    found = search(query)
    rows = list(found)
    while found.token:
        found = search(query, page_token=found.token)
        rows += found
    return rows


def _downloaded(place: str, folder: Path) -> Path:
    """What lies at an address of the artifacts' store, copied into a folder."""
    from mlflow import artifacts

    folder.mkdir(parents=True, exist_ok=True)
    store = {"tracking_uri": tracking.store_uri(), "registry_uri": tracking.store_uri()}
    return Path(artifacts.download_artifacts(place, dst_path=str(folder), **store))
