"""The result cache: whole or absent, and never larger than it may be."""

import os
import time
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.worker.server.cache import ResultCache, result_key


def writer(content: bytes):
    def write(folder: Path) -> dict[str, Path]:
        (folder / "depth.exr").write_bytes(content)
        return {"depth": folder / "depth.exr"}

    return write


def test_the_key_depends_on_every_value():
    keys = {result_key(source="a", seed=1), result_key(source="a", seed=2), result_key(source="b", seed=1)}
    assert len(keys) == 3
    assert result_key(source="a", seed=1) == result_key(seed=1, source="a")


def test_what_was_stored_is_found(tmp_path):
    cache = ResultCache(tmp_path)
    assert cache.find("key") is None
    stored = cache.store("key", writer(b"depth"))
    assert cache.find("key") == stored
    assert stored["depth"].read_bytes() == b"depth"


def test_a_damaged_result_is_a_miss_and_can_be_stored_again(tmp_path):
    cache = ResultCache(tmp_path)
    cache.store("key", writer(b"depth"))["depth"].write_bytes(b"dep")
    assert cache.find("key") is None
    cache.store("key", writer(b"depth"))
    assert cache.find("key") is not None


def test_a_failed_write_leaves_nothing(tmp_path):
    def write(folder: Path) -> dict[str, Path]:
        (folder / "half").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(MarigoldError, match="No space left"):
        ResultCache(tmp_path).store("key", write)
    assert list((tmp_path / "results").iterdir()) == []


def test_the_least_recently_used_goes_first(tmp_path):
    cache = ResultCache(tmp_path, keep_bytes=2500)
    for age, key in enumerate(("old", "older"), start=1):
        cache.store(key, writer(bytes(1000)))
        os.utime(tmp_path / "results" / key, (time.time() - age * 100,) * 2)
    cache.store("new", writer(bytes(1000)))
    assert cache.find("older") is None
    assert cache.find("old") is not None
    assert cache.find("new") is not None
