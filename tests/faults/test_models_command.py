"""`marigold models …` as a terminal or a render farm calls it: one JSON object, one sentence, honest exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_hub import DEMO, UNET, LocalHub, published_models

MARIGOLD = [sys.executable, "-m", "marigold_blender.cli"]
V1_1 = "marigold-depth-v1-1"


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub(published_models()) as hub:
        yield hub


@pytest.fixture
def environment(hub, tmp_path) -> dict[str, str]:
    return {
        **os.environ,
        "MARIGOLD_HOME": str(tmp_path / "home"),
        "HF_HOME": str(tmp_path / "huggingface"),
        "HF_ENDPOINT": hub.endpoint,
    }


def models(environment, *arguments: object, code: int = 0, stdin: str = "") -> dict:
    command = [*MARIGOLD, "models", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, input=stdin, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] == (code == 0)
    return answer


def states(environment) -> dict[str, str]:
    return {model["name"]: model["state"] for model in models(environment, "list")["models"]}


def test_a_model_from_nothing_to_nothing(environment, tmp_path):
    assert states(environment)[V1_1] == "absent"
    refused = models(environment, "download", code=1)["error"]
    assert refused["kind"] == "licence"
    assert "marigold models accept OpenRAIL++-M" in refused["message"]
    assert models(environment, "accept", "OpenRAIL++-M")["url"].startswith("https://")

    (fetched,) = models(environment, "download")["models"]
    assert fetched["bytes"] == fetched["fetched_bytes"] > 13e6
    assert states(environment)[V1_1] == "present"
    (verified,) = models(environment, "verify", V1_1)["models"]
    assert (verified["damaged"], verified["bytes"]) == ([], fetched["bytes"])

    with (Path(fetched["folder"]) / UNET).open("r+b") as file:
        file.write(b"damage")
    error = models(environment, "verify", code=1)["error"]
    assert f"{V1_1}: {UNET}" in error["message"]
    assert states(environment)[V1_1] == "damaged"
    (mended,) = models(environment, "download", V1_1)["models"]
    assert mended["fetched_bytes"] == (Path(fetched["folder"]) / UNET).stat().st_size  # that file, no other

    moved = models(environment, "move", tmp_path / "another place")
    assert moved["folder"] == str(tmp_path / "another place")
    assert states(environment)[V1_1] == "present"
    freed = models(environment, "delete", V1_1)["freed_bytes"][V1_1]
    assert freed > fetched["bytes"]
    assert states(environment)[V1_1] == "absent"


def test_licence_and_download_in_one_command(environment):
    models(environment, "download", "marigold-e2e-ft-depth", "--accept-licence")
    assert states(environment)["marigold-e2e-ft-depth"] == "present"


def test_a_folder_of_one_s_own(environment, tmp_path):
    folder = shutil.copytree(DEMO, tmp_path / "kitchen")
    assert models(environment, "add", folder, "--label", "My Kitchen")["model"] == "my-kitchen"
    assert states(environment)["my-kitchen"] == "present"
    models(environment, "verify", "my-kitchen")
    models(environment, "delete", "my-kitchen")
    assert "my-kitchen" not in states(environment)
    assert (folder / "model_index.json").is_file()


def test_network_settings_never_show_a_secret(environment):
    answer = models(environment, "network", "--proxy", "http://me:hidden@proxy:3128", "--token", stdin="hf_secret\n")
    assert (answer["has_token"], answer["proxy"]) == (True, "http://me:…@proxy:3128")
    assert "hf_secret" not in json.dumps(models(environment, "network"))
    assert models(environment, "network", "--proxy", "", "--token", stdin="\n")["has_token"] is False


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("download", "nothing"), "There is no model “nothing”"),
        (("download", "demo"), "needs no download"),
        (("delete", "demo"), "ships with the extension"),
        (("move", "relative"), "is not a whole path"),
        (("add", "/nothing"), "is no Marigold model for depth"),
        (("network", "--endpoint", "hub"), "is no web address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nonsense_is_one_sentence(environment, arguments, sentence):
    assert sentence in models(environment, *arguments, code=1)["error"]["message"]


def test_offline_by_environment(environment, hub):
    hub.requests.clear()
    models(environment, "accept", "OpenRAIL++-M")
    error = models({**environment, "HF_HUB_OFFLINE": "1"}, "download", code=1)["error"]
    assert (error["kind"], hub.requests) == ("offline", [])


def test_people_get_a_table(environment):
    done = subprocess.run([*MARIGOLD, "models", "list"], capture_output=True, text=True, env=environment, check=True)
    assert f"{V1_1}      absent   2.58 GB  OpenRAIL++-M (not accepted)  Marigold 1.1" in done.stdout
