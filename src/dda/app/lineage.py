"""What made a version: photos, VAEs, alignment, audit, training, evaluation.    dda lineage champion"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from dda.app import models, version_facts
from dda.core import cases, lineage
from dda.core.lineage import Stage
from dda.io.registry import Registry, Version
from dda.params import Params

VAES = "src/dda/catalog/vaes.yaml"
SHORT = 12


def run(params: Params, name: str, as_json: bool) -> None:
    """Print what made a version, by number or alias: a tree for people, or one JSON document with every fact.

    Raises SetupError where there is no such version, or the store is away.
    """
    registry = Registry.open(params.promote.model)
    version = registry.version(name)
    with tempfile.TemporaryDirectory() as scratch:
        kept = version_facts.read(registry.fetch(version, "lineage", Path(scratch)))
    document = told(registry.model, version, kept)
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console = Console(width=None if Console().is_terminal else 150)
    console.print(tree(document), highlight=False)


def told(model: str, version: Version, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about a version, from what was stored with it alone."""
    described, lock = kept["detector.json"], kept["dvc.lock"]
    paths = kept["params.yaml"]["paths"]
    stages = lineage.trace(lock, f"{paths['detectors']}/{version.tags.get('dda.detector')}")
    return {
        "model": model,
        "version": version.number,
        "aliases": list(version.aliases),
        "digest": version.digest,
        "detector": described["name"],
        "licence": described["licence"],
        "made_by_dvc": bool(stages),
        "photos": photos(kept),
        "vaes": {vae: of_vae(vae, stages, kept) for vae in described.get("data") or {}},
        "alignment": lineage.settings(stages, "align").get("align", {}),
        "training": training(kept, stages),
        "evaluation": evaluation(lock, f"{paths['predictions']}/{version.tags.get('dda.detector')}", version),
        "stages": [stage.told for stage in stages],
    }


def photos(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What DVC says of the data, and how many photos were used."""
    (out,) = kept["data.dvc"].get("outs", [{}])
    counted = kept["counts.json"].get("photos", {})
    return {"md5": out.get("md5"), "files": out.get("nfiles"), "bytes": out.get("size"), **counted}


def of_vae(vae: str, stages: list[Stage], kept: Mapping[str, Any]) -> dict[str, Any]:
    """A VAE's row, how photos passed through it, its pairs and their audit."""
    audit = kept["audits"].get(vae, {})
    verdict = {name: audit.get(name) for name in ("passed", "summary", "digest", "pairs")} if audit else None
    return {
        "row": lineage.settings(stages, "reconstruct", VAES).get(vae, {}),
        "reconstruct": {
            name.removeprefix("reconstruct."): value for name, value in lineage.settings(stages, "reconstruct").items()
        },
        "pairs_sha256": kept["detector.json"]["data"][vae]["pairs_sha256"],
        "pairs": kept["counts.json"].get("pairs", {}).get(vae),
        "audit": verdict,
    }


def training(kept: Mapping[str, Any], stages: list[Stage]) -> dict[str, Any]:
    """The run, the recipe, and what was selected; of an imported detector, where it is from."""
    described = kept["detector.json"]
    names = ("source", "architecture", "adapter", "training", "selected", "weights_sha256", "made_by")
    command = stages[0].command if stages else None
    return {"run": kept.get("run.json"), "stage": command, **{name: described.get(name) for name in names}}


def evaluation(lock: Mapping[str, Any], folder: str, version: Version) -> dict[str, Any]:
    """What the detector was judged on, and the stages that did it: `folder` is that of its predictions."""
    found = {}
    for name in version_facts.names_of(version.tags.get("dda.evaluated", "")):
        (stage, *_) = lineage.trace(lock, f"{folder}/{name}.parquet")
        number = models.score(version, f"{name}/{cases.NATIVE}/score")
        data = version.tags.get(f"dda.set.{name}")
        found[name] = {"stage": stage.name, "data_digest": data, "score": number, "params": dict(stage.params)}
    return found


def tree(document: Mapping[str, Any]) -> Tree:
    """The document for a terminal."""
    named = f" ({', '.join(document['aliases'])})" if document["aliases"] else ""
    root = Tree(escape(f"{document['model']} version {document['version']}{named}: {document['detector']}"))
    if not document["made_by_dvc"]:
        root.add("DVC did not make it: this is what its detector.json says")
    else:
        root.add(escape(f"photos: {_photos(document['photos'])}"))
    for vae, facts in document["vaes"].items():
        _add_vae(root, vae, facts)
    steps = root.add("alignment") if document["alignment"] else None
    for split in ("train", "held_out") if steps else ():
        part = steps.add(split) if steps else root
        for step in document["alignment"][split]["steps"]:
            part.add(escape(_facts(step)))
    _add_training(root, document["training"])
    for name, facts in document["evaluation"].items():
        number = f": score {facts['score']['value']:.3f}" if facts["score"] else ""
        root.add(
            escape(f"evaluated on {name}{number}, by {facts['stage']}, images {(facts['data_digest'] or '')[:SHORT]}")
        )
    return root


def _add_vae(root: Tree, vae: str, facts: Mapping[str, Any]) -> None:
    branch = root.add(escape(f"VAE {vae}: {_facts(facts['row']) or 'no row recorded'}"))
    if facts["reconstruct"]:
        branch.add(escape(f"reconstructed by {_facts(facts['reconstruct'])}"))
    split = f", {_facts(facts['pairs']['splits'])}" if facts["pairs"] else ""
    branch.add(escape(f"pairs {facts['pairs_sha256'][:SHORT]}{split}"))
    audit = facts["audit"]
    verdict = "not audited" if not audit else f"{'passed' if audit['passed'] else 'failed'}: {audit['summary']}"
    branch.add(escape(f"audit {verdict}"))


def _add_training(root: Tree, facts: Mapping[str, Any]) -> None:
    run = facts["run"] or {}
    when = f", {run['ended']} at commit {models.commit(run.get('git_commit') or '-')}" if run else ""
    branch = root.add(escape(f"training: {facts['stage'] or facts['made_by']}{when}"))
    if facts["source"]:
        branch.add(escape(f"imported from {_facts(facts['source'])}"))
    if run:
        branch.add(escape(f"MLflow run {run.get('run_id')} on {run.get('device')}, {run.get('seconds')} s"))
        branch.add(escape(f"versions: {_facts(run.get('versions', {}))}"))
    for name in ("training", "selected", "adapter"):
        if facts[name]:
            branch.add(escape(f"{'recipe' if name == 'training' else name}: {_facts(facts[name])}"))
    branch.add(escape(f"weights {(facts['weights_sha256'] or '')[:SHORT]}"))


def _photos(facts: Mapping[str, Any]) -> str:
    used = f", {facts['used']} of {facts['all']} photos used ({_facts(facts['splits'])})" if "used" in facts else ""
    return f"data.dvc {facts['md5']}, {facts['files']} files{used}"


def _facts(facts: Mapping[str, Any]) -> str:
    """`seed 0, fit pad`."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in facts.items()
    )
