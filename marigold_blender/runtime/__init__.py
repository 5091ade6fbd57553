# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's own Python environment: made, checked, updated and removed. Standard library only.

Nothing here blocks Blender: the work is done by an installer, a process of its own that prints one JSON event a line.

What others call:

| function | for |
|---|---|
| `folder.default_folder()` | where the runtime lies unless a preference names another folder |
| `status.read_status(folder)` | state, Python, versions, size, one sentence; cheap: panels, `worker_config` |
| `installer.start_plan(folder, …)` | what an installation would do: steps, bytes, space |
| `installer.start_install(folder, …)` | install or update; likewise `start_verify`, `start_adopt`, `start_remove` |
| `installer.InstallerJob` | `poll()`, `cancel()`, `wait()`, state, stage, share, time left, result, error, log |
| `command.main(arguments)` | the same from a terminal: `python -m marigold_blender.runtime` |
"""
