"""Steps in a real window: many jobs whose results are deleted; how much Blender and the worker have grown.

Arguments: the photo; vertices; how many jobs before the first measurement; how many after it. Undo is cleared after
each: thirty-two steps with a mesh each would leave the allocator with holes that have nothing to do with jobs.
"""

import contextlib
import ctypes
import gc
import sys
from importlib import import_module
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from driving import run

PHOTO, VERTICES, BEFORE, AFTER = sys.argv[sys.argv.index("--") + 2 :]
MODULE = "bl_ext.user_default.marigold_depth"


def steps(window):
    session = import_module(f"{MODULE}.operators.session")
    report = window.report
    yield from window.open_sidebar("VIEW_3D", "Marigold")

    def jobs(numbers):
        for number in numbers:
            with window.override():
                bpy.ops.marigold.photo_to_scene(
                    "INVOKE_DEFAULT", filepath=PHOTO, preset="DRAFT", seed=number, vertices=int(VERTICES)
                )
            yield from window.wait_for(f"job {number}", lambda: not session.tasks, 120)
            delete_results()
            clear_undo()
            yield 0.1
        yield 2.0

    yield from jobs(range(int(BEFORE)))
    report["kept_before_mib"] = resident_mib("self")
    let_go()
    report["before_mib"] = resident_mib("self"), resident_mib(session.queue.worker_pid)
    report["in_use_before"] = in_use()
    yield from jobs(range(int(BEFORE), int(BEFORE) + int(AFTER)))
    report["kept_after_mib"] = resident_mib("self")
    let_go()
    report["after_mib"] = resident_mib("self"), resident_mib(session.queue.worker_pid)
    report["in_use_after"] = in_use()
    report["failures"] = [failure.error.message for failure in session.failures]
    report["images_left"] = [image.name for image in bpy.data.images]


def delete_results():
    for thing in list(bpy.data.objects):
        if thing.data and thing.type in ("MESH", "CAMERA") and thing.data.marigold.depth:
            bpy.data.objects.remove(thing)
    for collection in list(bpy.data.collections):
        if not collection.objects:
            bpy.data.collections.remove(collection)
    bpy.data.orphans_purge(do_recursive=True)


def clear_undo():
    """Undo steps hold what was deleted; opening a file forgets them."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    gc.collect()


def let_go():
    """Have the allocator give back what it keeps for later: Blender's is TBB's, which keeps 200 MiB after some jobs."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("libtbbmalloc.so.2").scalable_allocation_command(0, None)  # TBBMALLOC_CLEAN_ALL_BUFFERS
    ctypes.CDLL(None).malloc_trim(0)


def in_use():
    """What Blender itself counts: “Memory: 21.0 MiB”."""
    parts = bpy.context.scene.statistics(bpy.context.view_layer).split(" | ")
    return next((part for part in parts if part.startswith("Memory")), "")


def resident_mib(process):
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


run(steps)
