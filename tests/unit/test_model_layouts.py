"""Every published model's layout, fetched from the local hub and estimated with as its authors mean it to be."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from marigold_blender.depth_files.read import read_depth
from marigold_blender.errors import MarigoldError
from marigold_blender.estimation.checkpoint_files import read_defaults
from marigold_blender.estimation.estimator import Estimator
from marigold_blender.models.catalogue import CATALOGUE
from marigold_blender.models.find import find_model
from marigold_blender.models.licences import LICENCES, accept_licence
from marigold_blender.settings import EstimateSettings
from marigold_blender.worker.server import permission
from marigold_blender.worker.server.download import download_model
from marigold_blender.worker.server.estimate_job import EstimateRequest, EstimateResult, run_estimate
from tests.local_hub import LocalHub, published_models

CHINA = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"
V1_1, V1_0, LCM, E2E = "marigold-depth-v1-1", "marigold-depth-v1-0", "marigold-depth-lcm-v1-0", "marigold-e2e-ft-depth"


@pytest.fixture(scope="module", autouse=True)
def fetched(tmp_path_factory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("home")
    for variable, folder in (("MARIGOLD_HOME", "m"), ("HF_HOME", "h"), ("MARIGOLD_CACHE", "c")):
        patch.setenv(variable, str(home / folder))
    for name, model in list(CATALOGUE.items()):
        patch.setitem(CATALOGUE, name, dataclasses.replace(model, sha256={}))
    for licence in LICENCES:
        accept_licence(licence)
    permission.give(True)
    with LocalHub(published_models()) as hub:
        patch.setenv("HF_ENDPOINT", hub.endpoint)
        for name in (V1_1, V1_0, LCM, E2E):
            download_model(name, lambda *_: None, lambda: False)
    permission.give(False)
    yield
    patch.undo()


def estimate(folder: Path, settings: EstimateSettings) -> EstimateResult:
    return run_estimate(EstimateRequest(str(CHINA), "china", str(folder), settings), lambda *_: None, lambda: False)


def depth_of(result: EstimateResult) -> np.ndarray:
    return read_depth(Path(result.files["depth"])).depth


@pytest.mark.parametrize(("name", "steps"), [(V1_1, 4), (V1_0, 10), (LCM, 1), (E2E, 1)])
def test_each_layout_is_estimated_with_its_own_number_of_steps(name, steps, tmp_path):
    result = estimate(tmp_path, EstimateSettings(model=name))
    assert (result.record.settings["steps"], result.record.settings["ensemble"]) == (steps, 1)
    assert result.record.model == name
    depth = depth_of(result)
    assert np.isfinite(depth).all()
    assert depth.std() > 0.01
    assert CATALOGUE[name].steps == steps


def test_a_draft_of_v1_0_takes_its_step_at_the_noisy_end():
    scheduler = Estimator.load(find_model(V1_0), "cpu").checkpoint.new_scheduler(1)
    assert scheduler.timesteps.tolist() == [999]
    assert Estimator.load(find_model(V1_0), "cpu").checkpoint.new_scheduler(10).timesteps.tolist()[0] == 901


def test_the_end_to_end_model_is_one_step_from_zeros(tmp_path):
    checkpoint = Estimator.load(find_model(E2E), "cpu").checkpoint
    assert checkpoint.zero_noise
    assert checkpoint.new_scheduler(1).timesteps.tolist() == [999]
    best = estimate(tmp_path / "a", EstimateSettings(model=E2E, preset="BEST", seed=1))
    assert (best.record.settings["steps"], best.record.settings["ensemble"]) == (1, 1)
    other = estimate(tmp_path / "b", EstimateSettings(model=E2E, seed=2))
    assert np.array_equal(depth_of(best), depth_of(other))  # nothing in it is random


@pytest.mark.parametrize("more", [{"steps": 4}, {"ensemble": 3}], ids=str)
def test_more_than_a_single_step_is_refused_for_it(more, tmp_path):
    with pytest.raises(MarigoldError, match="takes a single step and gives the same depth every time"):
        estimate(tmp_path, EstimateSettings(model=E2E, **more))


def test_the_same_weights_used_in_another_way_have_another_revision(tmp_path):
    """A cached depth must not be taken for that of another use of the same files."""
    import shutil

    clone = shutil.copytree(find_model(E2E), tmp_path / "clone")
    (clone / "marigold.json").unlink()
    assert read_defaults(find_model(E2E)).zero_noise
    assert not read_defaults(clone).zero_noise
    assert read_defaults(clone).revision != read_defaults(find_model(E2E)).revision


def test_a_model_that_was_trained_end_to_end_says_so_itself(tmp_path):
    """`marigold train finetune --objective end-to-end` writes one-step DDIM folders."""
    import shutil

    clone = shutil.copytree(find_model(V1_1), tmp_path / "trained")
    (clone / "marigold.json").unlink()
    index = json.loads((clone / "model_index.json").read_text())
    (clone / "model_index.json").write_text(json.dumps({**index, "default_denoising_steps": 1}))
    assert read_defaults(clone).zero_noise
    assert read_defaults(find_model(LCM)).steps == 1
    assert not read_defaults(find_model(LCM)).zero_noise
