# SPDX-License-Identifier: GPL-3.0-or-later
"""A training on this file, from the click to the model. Driven by `session` (window) or `train_blocking` (scripts)."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import bpy

from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.models.find import find_model
from ..marigold_blender.models.local_models import register_local_model
from ..marigold_blender.training.blend_request import BlendTraining, training_state
from ..marigold_blender.worker.client.job import Job
from ..marigold_blender.worker.client.jobs import JobQueue
from . import state
from .task import Phase, WorkerTask, is_done, new_id, wait_printing

COPY = "scene.blend"
STOP_GRACE_S = 180.0  # a real U-Net with its optimiser is 10 GB to write


@dataclass
class TrainTask(WorkerTask):
    """What was asked for, and how far it is.

    Attributes:
        request: its `blend`, `blender` and `python` are filled in when the copy is saved.
        model: once it is trained, its name.

    Its job's folder holds only what went to the worker: the training's own folder is the user's, and stays.
    """

    FIRST = Phase.SAVING

    request: BlendTraining
    id: int = field(default_factory=new_id)
    phase: Phase = Phase.SAVING
    job: Job | None = None
    model: str = ""
    icon: str = "MODIFIER"
    offer: str = "Use This Model"

    @property
    def title(self) -> str:
        return f"Training “{Path(self.request.folder).name}”"

    @property
    def uses(self) -> str:
        return self.request.base

    def queue_job(self, queue: JobQueue) -> None:
        """Save a copy of this file and hand the job to the queue.

        Raises:
            MarigoldError: there is no such base model, or the copy cannot be written.
        """
        base = find_model(self.request.base)
        blend = save_copy(Path(self.request.folder))
        request = replace(
            self.request,
            base=str(base),
            blend=str(blend),
            blender=bpy.app.binary_path,
            python="" if bpy.app.binary_path else sys.executable,
        )
        self.job = queue.submit("train", request.to_json(), queue.new_folder(), tag="train")
        self.job.cancel_grace_s = STOP_GRACE_S
        self.phase = Phase.WORKING

    def advance(self, queue: JobQueue) -> None:
        if self.phase is Phase.SAVING:
            self.queue_job(queue)
        elif self.phase is Phase.WORKING:
            assert self.job is not None
            if self.job.state.is_over:
                self.model = register_trained(Path(self.request.folder))  # stopped, too, there may be one
            if is_done(self.job):
                self.phase = Phase.OFFERED

    def apply(self, context: bpy.types.Context) -> dict[str, str]:
        """Choose the trained model in the context's scene."""
        context.scene.marigold.model = self.model
        self.phase = Phase.OVER
        return {"model": self.model}


def save_copy(folder: Path) -> Path:
    """A copy of this file as it is now, saved or not, in a folder that is made.

    Raises:
        MarigoldError: it cannot be written (`cannot_write`).
    """
    path = folder / COPY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=True)
    except (OSError, RuntimeError) as error:
        raise MarigoldError(
            "cannot_write",
            f"A copy of this file could not be saved in “{folder}”: choose another folder.",
            details=str(error),
        ) from error
    return path


def register_trained(folder: Path) -> str:
    """Let what was trained so far in a folder appear among the models; its name, or nothing if there is none.

    Raises:
        MarigoldError: the note cannot be written (`cannot_write`).
    """
    trained = training_state(folder).model
    name = register_local_model(trained, label=folder.name).name if trained else ""
    state.look_again()
    return name


def train_blocking(task: TrainTask, queue: JobQueue) -> str:
    """The whole way in one call, as scripts and background runs take it; the name of the model.

    Raises:
        MarigoldError: whatever fails.
    """
    task.queue_job(queue)
    assert task.job is not None
    wait_printing(task.job, task.title, queue)
    task.discard()
    return register_trained(Path(task.request.folder))
