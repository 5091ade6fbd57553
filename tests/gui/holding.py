"""Notes how long each of the extension's own calls holds Blender's main thread. Imported by scripts of steps."""

import time
import traceback
from importlib import import_module

MODULE = "bl_ext.user_default.marigold_depth"


def watch_main_thread(window):
    """A list that fills up with [name, thread s, wall s] of every call: tick, look, draw.

    A tick that reads the source or builds the scene is named so: those two are shown as stages. What a call raises
    goes into the report.
    """
    session = import_module(f"{MODULE}.operators.session")
    state = import_module(f"{MODULE}.operators.state")
    held = []

    def watched(name, function):
        def call(*arguments):
            stage = any(task.phase.holds for task in session.tasks)
            thread, wall = time.thread_time(), time.perf_counter()
            try:
                return function(*arguments)
            except Exception:
                window.report.setdefault("raised", []).append(traceback.format_exc())
                raise
            finally:
                shown = "stage" if stage and name == "tick" else name
                held.append([shown, time.thread_time() - thread, time.perf_counter() - wall])

        return call

    session._tick = watched("tick", session._tick)
    state._look = watched("look", state._look)
    for panel in import_module(f"{MODULE}.panels").CLASSES:
        panel.draw = _with_two_arguments(watched("draw", panel.draw))
    return held


def _with_two_arguments(draw):
    # Blender counts a draw function's own arguments and crashes on any number but two
    def call(self, context):
        return draw(self, context)

    return call
