"""Models and the runtime by operators, as scripts call them: blocking, raising, and leaving nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = "marigold-depth-v1-1"  # the hashes of others are pinned: the hub here could not serve them


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The address of a hub on this computer, in a process of its own: no thread may run beside Blender."""
    address = tmp_path_factory.mktemp("hub") / "address"
    command = [os.environ["MARIGOLD_PYTHON"], "-m", "tests.local_hub", address]
    with subprocess.Popen(command, cwd=ROOT) as process:
        deadline = time.monotonic() + 60
        while not (address.is_file() and address.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield address.read_text().strip()
        process.terminate()


@pytest.fixture
def home(extension, hub, tmp_path, monkeypatch):
    """A user's folder of its own; a worker that does not know the one before."""
    extension("operators.session").queue.stop_worker()
    monkeypatch.setenv("MARIGOLD_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", hub)
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", True)
    extension("operators.state").look_again()
    yield tmp_path
    extension("operators.session").queue.stop_worker()


def test_a_model_is_fetched_used_checked_and_deleted(home, china):
    bpy.ops.marigold.download_model(model=MODEL, accept_licence=True)
    bpy.ops.marigold.estimate_depth(filepath=str(china), model=MODEL, steps=1)
    assert bpy.data.images["china depth"].marigold.model == MODEL

    weights = home / "models" / MODEL / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    assert bpy.ops.marigold.verify_model(model=MODEL) == {"FINISHED"}
    with weights.open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    bpy.ops.marigold.verify_model(model=MODEL)
    with pytest.raises(RuntimeError, match="missing or damaged"):
        bpy.ops.marigold.estimate_depth(filepath=str(china), model=MODEL, steps=1, seed=2)
    bpy.ops.marigold.download_model(model=MODEL)
    bpy.ops.marigold.delete_model(model=MODEL)
    assert not weights.exists()


def test_a_licence_is_accepted_first(home):
    with pytest.raises(RuntimeError, match=r"licence of Marigold 1\.1 must be accepted"):
        bpy.ops.marigold.download_model(model=MODEL)
    bpy.ops.marigold.accept_licence(licence="OpenRAIL++-M")
    bpy.ops.marigold.download_model(model=MODEL)


def test_nothing_is_sent_while_blender_is_offline(home, monkeypatch):
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", False)
    with pytest.raises(RuntimeError, match=r"[Oo]nline") as caught:
        bpy.ops.marigold.download_model(model=MODEL, accept_licence=True)
    assert "Traceback" not in str(caught.value)


def test_the_models_move(home, tmp_path):
    bpy.ops.marigold.download_model(model=MODEL, accept_licence=True)
    target = tmp_path / "elsewhere"
    bpy.ops.marigold.move_models(directory=str(target))
    assert (target / MODEL / "model_index.json").is_file()
    assert not (home / "models" / MODEL).exists()


def test_a_folder_of_one_s_own_is_a_model(home, china, extension):
    demo = extension("marigold_blender.models.catalogue").HERE / "demo"
    own = home / "my model"
    own.symlink_to(demo)
    bpy.ops.marigold.add_model(directory=str(own))
    assert bpy.context.scene.marigold.model == "my-model"
    bpy.ops.marigold.estimate_depth(filepath=str(china), model="my-model", preset="DRAFT")
    bpy.ops.marigold.delete_model(model="my-model")
    assert (demo / "model_index.json").is_file()
    with pytest.raises(RuntimeError, match="no Marigold model"):
        bpy.ops.marigold.add_model(directory=str(home))


def test_an_adopted_environment_serves_and_is_let_go(home, china, monkeypatch):
    environment = Path(os.environ["MARIGOLD_PYTHON"]).parents[1]
    monkeypatch.delenv("MARIGOLD_PYTHON")
    with pytest.raises(RuntimeError, match="The runtime is not installed"):
        bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT")
    bpy.ops.marigold.adopt_runtime(filepath=str(environment))
    bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT")
    bpy.ops.marigold.remove_runtime()
    assert environment.is_dir()
    with pytest.raises(RuntimeError, match="The runtime is not installed"):
        bpy.ops.marigold.estimate_depth(filepath=str(china), preset="DRAFT")


def test_an_environment_without_torch_is_refused(home, monkeypatch):
    monkeypatch.delenv("MARIGOLD_PYTHON")
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.marigold.adopt_runtime(filepath=sys.executable if "bpy" in sys.prefix else "/usr/bin/python3")
    assert "Traceback" not in str(caught.value)
