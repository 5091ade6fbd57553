"""Part 2 in full: the demo checkpoint on seen and unseen families, what steps and ensembling change, resume and kills.

MARIGOLD_TRAINING names the folder of `make demo-checkpoint` (default: build/demo-checkpoint): its test sets, and the
runs to compare (`plain`: trained without multi-resolution noise; `one-step`: end-to-end) where they are there.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from marigold_blender.models.find import find_model
from marigold_blender.settings import EstimateSettings
from marigold_blender.training.data_sets import open_data_set
from marigold_blender.training.evaluate import evaluate_model
from tests.acceptance.steps import ROOT, Acceptance, demo_revision

FOLDER = Path(os.environ.get("MARIGOLD_TRAINING", ROOT / "build/demo-checkpoint"))
STEPS_AND_ENSEMBLE = ((1, 1), (2, 1), (4, 1), (10, 1), (4, 10))
KILLS = 10
STEPS = 200  # enough for every kill to hit a run that still goes


def main() -> None:
    demo = find_model("demo")
    acceptance = Acceptance(2, demo_revision())
    for data in ("seen", "unseen"):
        for steps, ensemble in STEPS_AND_ENSEMBLE:
            name = f"{data}_{steps}_steps_ensemble_{ensemble}"
            acceptance.step(name, lambda d=data, s=steps, e=ensemble: figures(d, demo, s, e))
    for run, steps in (("plain", 4), ("one-step", 1)):
        checkpoint = FOLDER / "runs" / run / "checkpoint"
        if checkpoint.is_dir():
            acceptance.step(f"seen_{run}", lambda c=checkpoint, s=steps: figures("seen", c, s, 1))
    acceptance.step("killed_runs", killed_runs)
    acceptance.finish()


def figures(data: str, model: Path, steps: int, ensemble: int) -> dict[str, Any]:
    """Mean metrics over a test set and over each of its families."""
    samples = open_data_set(FOLDER / "data" / data)
    settings = EstimateSettings(model=str(model), steps=steps, ensemble=ensemble)
    result = evaluate_model(samples, model, settings, lambda done, total: None)
    rows = result.pop("per_image")
    families: dict[str, list[float]] = {}
    for row in rows:
        families.setdefault(row["name"].split("_")[0], []).append(row["abs_rel"])
    result["abs_rel_by_family"] = {family: sum(each) / len(each) for family, each in families.items()}
    return {**result, "model": model.name}  # without this machine's folders


def killed_runs() -> dict[str, Any]:
    """A training run that is killed at random moments ends with the very weights of one that is not."""
    with tempfile.TemporaryDirectory() as folder:
        unbroken, broken = Path(folder) / "unbroken", Path(folder) / "broken"
        start(unbroken).wait()
        chance, kills = random.Random(1), 0
        while kills < KILLS:
            process = start(broken)
            try:
                process.wait(chance.uniform(4, 12))
                break
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
        if kills < KILLS:
            raise SystemExit(f"The run ended after {kills} kills of {KILLS}: give it more steps.")
        start(broken).wait()
        states = [torch.load(run / "state.pt", weights_only=True) for run in (unbroken, broken)]
        same = all(torch.equal(states[0]["average"][name], states[1]["average"][name]) for name in states[0]["average"])
        if not same or states[0]["step"] != STEPS or states[1]["step"] != STEPS:
            raise SystemExit("A killed and resumed run differs from an unbroken one.")
    return {"kills": kills, "steps": STEPS, "same_weights": same}


def start(run: Path) -> subprocess.Popen:
    script = (
        "import sys, time; sys.path.insert(0, 'tests/unit')\n"
        "from pathlib import Path; import test_training_recipe as t\n"
        "from marigold_blender.training.loop import LoopSettings, train\n"
        f"settings = LoopSettings(steps={STEPS}, learning_rate=1e-3, save_every_s=0)\n"
        "def loss(network, turn): time.sleep(0.3); return t.a_loss(network, turn)\n"
        f"train(t.tiny_unet(8), loss, settings, Path({str(run)!r}), lambda *_: None)\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
