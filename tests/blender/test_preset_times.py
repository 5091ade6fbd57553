"""What each preset will take, as the panel shows it, from past runs on this machine."""

from pathlib import Path


def test_presets_are_told_from_one_run(extension):
    state = extension("operators.state")
    jobs = extension("marigold_blender.worker.client.job")
    settings = extension("marigold_blender.settings").EstimateSettings(model="of no other test")
    assert state.preset_times(settings) == {}
    result = {"device": "cpu", "memory_mib": 900, "record": {"settings": {"steps": 4, "ensemble": 1}}}
    stages = {"encoding": 1.0, "denoising": 8.0, "decoding": 1.0}
    job = jobs.Job("1", "estimate", {}, Path(), state=jobs.JobState.DONE, stage_seconds=stages, result=result)
    state.past_runs().note(state.run_kind(settings), job)
    assert state.preset_times(settings) == {"Draft": 4.0, "Balanced": 10.0, "Best": 91.0}
