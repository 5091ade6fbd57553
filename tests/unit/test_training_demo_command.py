# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold train demo`: what is not asked for otherwise is what the plan says."""

import argparse
from dataclasses import replace
from pathlib import Path

from marigold_blender.training import command, demo_checkpoint
from marigold_blender.training.demo_plan import DemoPlan


def planned(monkeypatch, *arguments: str) -> DemoPlan:
    plans: list[DemoPlan] = []
    monkeypatch.setattr(demo_checkpoint, "make_demo_checkpoint", lambda plan, say: plans.append(plan))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    chosen = parser.parse_args(["demo", *arguments])
    chosen.run_stage(chosen)
    return plans[0]


def test_the_command_makes_what_the_plan_says_unless_asked_for_other_amounts(monkeypatch):
    plan = DemoPlan(Path("there"))
    assert planned(monkeypatch, "there") == plan
    asked = planned(monkeypatch, "there", "--sharp-scenes", "7", "--tuning-steps", "9", "--workers", "1")
    assert asked == replace(plan, sharp_scenes=7, tuning_steps=9, workers=1)
