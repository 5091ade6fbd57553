"""Keeps every test out of the user's own folders: models, runtime, licences and the cache lie in a fresh one."""

import os
import shutil
import tempfile

import pytest

_HOME = tempfile.mkdtemp(prefix="marigold_home_")
os.environ["MARIGOLD_HOME"] = _HOME
os.environ["MARIGOLD_CACHE"] = os.path.join(_HOME, "cache")
for _name in ("MARIGOLD_MODELS", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"):
    os.environ.pop(_name, None)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    shutil.rmtree(_HOME, ignore_errors=True)
