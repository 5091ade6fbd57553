# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tuning on a user's .blend: rendering with a real Blender process, training, cancelling, going on."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from marigold_blender.errors import MarigoldError
from marigold_blender.models.find import find_model
from marigold_blender.training.blend_request import BlendTraining
from marigold_blender.training.blend_training import train_on_blend

MAKE_BLEND = """
import bpy, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.mesh.primitive_plane_add(size=30)
for x in range(-6, 7, 3):
    bpy.ops.mesh.primitive_monkey_add(location=(x, x / 2, 1))
bpy.context.scene.world = bpy.data.worlds.new("world")
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""


@pytest.fixture
def request_(tmp_path) -> BlendTraining:
    path = tmp_path / "mine.blend"
    subprocess.run([sys.executable, "-c", MAKE_BLEND, path], check=True, capture_output=True)
    return BlendTraining(
        str(path), str(find_model("demo")), str(tmp_path / "out"), pictures=4, steps=3, resolution=64, batch=1,
        accumulate=1,
    )  # fmt: skip


def test_a_cancelled_training_goes_on_and_ends_with_a_model(request_, tmp_path):
    seen = []

    def report(stage, done, total):
        seen.append((stage, done, total))

    with pytest.raises(MarigoldError) as caught:
        train_on_blend(request_, report, lambda: ("training", 1, 3) in seen)
    assert caught.value.kind == "cancelled"
    assert torch.load(tmp_path / "out/run/state.pt")["step"] == 1
    assert (tmp_path / "out/run/checkpoint/model_index.json").is_file()  # what was trained so far is a model already
    first = len(seen)
    result = train_on_blend(BlendTraining.from_json(request_.to_json()), report, lambda: False)
    assert result["pictures"] >= 1
    assert [step for stage, step, _ in seen[first:] if stage == "training"] == [0, 2, 3]  # step 1 was kept
    assert (tmp_path / "out/run/checkpoint/model_index.json").is_file()


def test_a_killed_renderer_s_parent_takes_it_along(request_, tmp_path):
    """The worker is killed while Blender renders for it: no Blender is left running."""
    program = (
        "import json, sys; from marigold_blender.training.blend_request import *; "
        "from marigold_blender.training.blend_training import *; "
        "train_on_blend(BlendTraining(**json.loads(sys.argv[1])), lambda *at: print(*at, flush=True), lambda: False)"
    )
    many = {**request_.to_json(), "pictures": 400}
    with subprocess.Popen([sys.executable, "-c", program, json.dumps(many)], stdout=subprocess.PIPE) as parent:
        plan = tmp_path / "out/data/plan_0.json"
        assert parent.stdout is not None
        parent.stdout.readline()
        (renderer,) = renderers_of(plan)
        parent.kill()
    deadline = time.monotonic() + 5
    while renderers_of(plan):
        assert time.monotonic() < deadline, f"{renderer} is still there"
        time.sleep(0.05)


def renderers_of(plan: Path) -> list[int]:
    """Processes that have this plan on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(plan).encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
