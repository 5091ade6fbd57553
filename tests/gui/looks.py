"""How long panels take to draw: wraps their draw functions inside the real window."""

import time


def watch_draws(classes):
    """Note how long each draw function takes, in seconds of its thread, by the class's name."""
    took = {}
    for cls in classes:
        if hasattr(cls, "draw"):
            cls.draw = timed(cls.draw, took.setdefault(cls.__name__, []))
    return took


def timed(draw, seconds):
    def call(self, context):  # Blender counts the arguments: two
        started = time.thread_time()
        draw(self, context)
        seconds.append(time.thread_time() - started)

    return call
