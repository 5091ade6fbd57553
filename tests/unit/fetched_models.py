"""Models as a download leaves them, without a download. Used by the tests of the models folder."""

from __future__ import annotations

import os
from pathlib import Path

from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.folders import models_folder
from marigold_blender.models.manifest import Manifest, ModelFile, write_manifest
from marigold_blender.models.status import forget_statuses
from tests.local_hub import published_models
from tests.local_hub_answers import digest_of, is_lfs

V1_1, V1_0 = "marigold-depth-v1-1", "marigold-depth-v1-0"
SHARED = "vae/diffusion_pytorch_model.fp16.safetensors"


def put_model(name: str, complete: bool = True, leave_out: str = "") -> Manifest:
    """A model as a download leaves it: its files, its manifest; parts that another has are hard links."""
    repository = published_models()[CATALOGUE[name].hub_id]
    files = []
    for path, content in repository.files.items():
        if path.endswith((".bin", ".py", ".md")) or path == ".gitattributes":
            continue
        if path.endswith(".safetensors") and "fp16" not in path:
            continue
        digest = f"{'sha256' if is_lfs(content) else 'git'}:{digest_of(content)}"
        files.append(ModelFile(path, len(content), digest, CATALOGUE[name].hub_id, repository.commit))
        place = models_folder() / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        others = [models_folder() / other / path for other in (V1_1, V1_0) if other != name]
        twin = next((other for other in others if other.is_file() and other.read_bytes() == content), None)
        if path == leave_out:
            continue
        os.link(twin, place) if twin else place.write_bytes(content)
    manifest = Manifest(
        name, CATALOGUE[name].hub_id, repository.commit, CATALOGUE[name].licence, False, tuple(files), complete
    )
    write_manifest(models_folder() / name, manifest)
    forget_statuses()
    return manifest


def disk_bytes(folder: Path) -> int:
    """What a folder takes on disk, links counted once."""
    facts = {(s.st_dev, s.st_ino): s.st_size for s in (path.stat() for path in folder.rglob("*") if path.is_file())}
    return sum(facts.values())
