"""What the installer reads: pip's and uv's output, pip's configuration, and the causes of failures in real output."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from marigold_blender.runtime.failures import CAUSES, explain, find_cause, redacted
from marigold_blender.runtime.output import OutputReader, package_of
from marigold_blender.runtime.pip_settings import PipSettings, pip_environment, read_pip_settings, uv_environment

# As pip 26.3 printed it with `--progress-bar raw`, shortened.
PIP_OUTPUT = """\
Looking in indexes: https://pypi.org/simple
Collecting numpy==2.4.6
  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl.metadata (6.6 kB)
  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl (16.9 MB)
Progress 65536 of 16900000
Progress 8450000 of 16900000
Progress 16900000 of 16900000
Collecting rich==15.0.0
  Using cached rich-15.0.0-py3-none-any.whl (310 kB)
Processing /opt/wheels/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
Installing collected packages: rich, numpy, torch
Successfully installed numpy-2.4.6 rich-15.0.0 torch-2.13.0+cpu
"""
# As uv 0.13 printed it without a terminal.
UV_OUTPUT = """\
Using Python 3.11.7 environment at: e2
Resolved 5 packages in 214ms
Downloading numpy (16.1MiB)
Downloading pygments (1.2MiB)
 Downloaded pygments
 Downloaded numpy
Prepared 5 packages in 245ms
Installed 5 packages in 18ms
 + numpy==2.4.6
"""


def readings(reader: OutputReader, output: str) -> list:
    return [reading for line in output.splitlines() if (reading := reader.feed(line))]


def test_pips_progress_is_counted_in_bytes_over_all_packages():
    seen = readings(OutputReader({"numpy": 17_000_000, "rich": 310_000, "torch": 192_000_000}), PIP_OUTPUT)

    downloading = [reading for reading in seen if reading.stage == "downloading"]
    done = [reading.done for reading in downloading]
    assert done == sorted(done)
    assert 8_450_000 in done
    assert downloading[-1].done == downloading[-1].total == 16_900_000 + 310_000 + 192_000_000
    assert (seen[-1].stage, seen[-1].total) == ("installing", 3)


def test_uvs_progress_counts_a_package_when_it_is_there():
    seen = readings(OutputReader({"numpy": 16_900_000, "pygments": 1_230_000}, parallel=True), UV_OUTPUT)

    shares = [reading.done / reading.total for reading in seen if reading.stage == "downloading"]
    assert shares[:2] == [0.0, 0.0]
    assert 0.0 < shares[2] < 0.1
    assert shares[-1] == pytest.approx(1.0)
    assert (seen[-1].stage, seen[-1].total) == ("installing", 5)


def test_a_retry_is_told_and_the_bytes_stay():
    reader = OutputReader({"torch": 100})
    before = readings(reader, "  Downloading torch-2.13.0-cp311-cp311-win_amd64.whl (100 B)\nProgress 40 of 100")[-1]
    after = reader.feed("WARNING: Connection interrupted while downloading. Attempting to resume.")
    assert after is not None
    assert "trying again" in after.message
    assert after.done == before.done == 40


@pytest.mark.parametrize(
    ("what", "package"),
    [
        ("pillow_heif-1.8.1-cp311-cp311-win_amd64.whl", "pillow-heif"),
        ("https://x.org/files/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=1", "torch"),
        (r"C:\wheels\OpenImageIO-3.0.21.0-cp311-cp311-win_amd64.whl", "openimageio"),
        ("huggingface_hub", "huggingface-hub"),
    ],
)
def test_a_packages_name_is_found_in_a_wheels(what, package):
    assert package_of(what) == package


# Endings of the real output of pip 26.2 and uv 0.13 against servers that misbehaved so, and of others' reports.
OUTPUTS = {
    "no_network": [
        "'NameResolutionError(\"HTTPSConnection(host='no-such-host.invalid', port=443): Failed to resolve "
        "'no-such-host.invalid' ([Errno -2] Name or service not known)\")': /simple/tqdm/\n"
        "ERROR: Could not find a version that satisfies the requirement tqdm (from versions: none)\n"
        "ERROR: No matching distribution found for tqdm",
        "error: Failed to fetch: https://download.pytorch.org/whl/cpu/torch/\n  cause: client error (Connect)\n"
        "  cause: dns error\n  cause: failed to lookup address information: Name or service not known",
        "[WinError 10051] A socket operation was attempted to an unreachable network",
    ],
    "timeout": [
        "after connection broken by 'ReadTimeoutError(\"HTTPConnectionPool(host='127.0.0.1', port=8705): Read timed "
        "out. (read timeout=4.0)\")': /simple/tqdm/\nERROR: No matching distribution found for tqdm",
        "error: Failed to fetch: http://127.0.0.1:8705/simple/tqdm/\n  cause: operation timed out",
        "pip._vendor.urllib3.exceptions.IncompleteRead: IncompleteRead(1024 bytes read, 4096 more expected)",
    ],
    "tls": [
        "Could not fetch URL https://127.0.0.1:8701/simple/tqdm/: There was a problem confirming the ssl certificate: "
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006) - skipping",
        "  cause: client error (Connect)\n  cause: invalid peer certificate: UnknownIssuer",
    ],
    "proxy_login": [
        "'OSError('Tunnel connection failed: 407 Proxy Authentication Required')': /simple/tqdm/",
        "  cause: tunnel error: proxy authorization required",
    ],
    "proxy": [
        "ProxyError('Cannot connect to proxy.', NewConnectionError('…: Failed to establish a new connection'))",
        "  cause: tunnel error: failed to create underlying connection\n  cause: Connection refused (os error 111)",
    ],
    "refused_by_index": [
        "Could not fetch URL http://127.0.0.1:8703/simple/tqdm/: 403 Client Error: Forbidden for url: …\n"
        "ERROR: No matching distribution found for tqdm",
        "hint: An index URL (http://127.0.0.1:8706/simple) could not be queried due to a lack of valid authentication "
        "credentials (401 Unauthorized)",
    ],
    "index_down": [
        "Could not fetch URL http://127.0.0.1:8704/simple/tqdm/: 502 Server Error: Bad Gateway",
        "  cause: HTTP status server error (502 Bad Gateway) for url (http://127.0.0.1:8704/simple/tqdm/)",
    ],
    "no_wheel": [
        "ERROR: Could not find a version that satisfies the requirement torch==2.13.0+cpu (from versions: 2.2.0)\n"
        "ERROR: No matching distribution found for torch==2.13.0+cpu",
        "error: No solution found when resolving dependencies\n  cause: Because there is no version of tqdm==99.99",
    ],
    "hash_mismatch": [
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated …",
        "error: Failed to download `tqdm==4.70.1`\n  cause: Hash mismatch for `tqdm==4.70.1`",
    ],
    "disk_full": [
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "OSError: [WinError 112] There is not enough space on the disk",
        "  cause: failed to write to file: No space left on device (os error 28)",
    ],
    "read_only": ["OSError: [Errno 30] Read-only file system: '/tmp/fl/ro/x'"],
    "permission": [
        "ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: 'C:\\\\x\\\\torch'",
        "PermissionError: [Errno 13] Permission denied: '/x/lib'",
    ],
    "in_use": ["[WinError 32] The process cannot access the file because it is being used by another process"],
    "blocked_by_policy": [
        "OSError: [WinError 4551] An Application Control policy has blocked this file. Error loading c10.dll"
    ],
    "long_path": [
        "OSError: [Errno 2] No such file or directory: 'C:\\\\…'\nHINT: This error might have occurred since this "
        "system does not have Windows Long Path support enabled."
    ],
    "dll": ["OSError: [WinError 126] The specified module could not be found. Error loading c10.dll"],
    "old_cpu": ["The worker was ended by signal 4 while starting"],
    "memory": ["torch\nended by signal 9", "OSError: [WinError 1455] The paging file is too small"],
    "damaged": ["ERROR: Wheel 'torch' located at /x/torch.whl is invalid.", "zipfile.BadZipFile: File is not a zip"],
    "no_pip": ["/usr/bin/python3: No module named ensurepip"],
    "quota": ["OSError: [Errno 122] Disk quota exceeded"],
    "file_too_large": ["OSError: [Errno 27] File too large"],
}


@pytest.mark.parametrize(("cause", "output"), [(cause, text) for cause, texts in OUTPUTS.items() for text in texts])
def test_a_known_failure_is_recognised_by_its_cause(cause, output):
    found, _ = find_cause(output)
    assert found is not None
    assert found.name == cause


def test_every_cause_has_an_example_and_tells_what_to_do():
    assert {cause.name for cause in CAUSES} == set(OUTPUTS)
    for cause in CAUSES:
        message = explain(OUTPUTS[cause.name][0], "installing torch", "/home/me/runtime").message
        assert message.endswith(".")
        assert message.count(". ") == 0, "one sentence"
        assert "{" not in message


def test_what_is_missing_is_named():
    assert "has no torch==2.13.0+cpu for this Python" in explain(OUTPUTS["no_wheel"][0], "x", "y").message


def test_a_refused_connection_through_a_proxy_is_the_proxys():
    assert "proxy" in explain(OUTPUTS["no_network"][0], "x", "y", through_proxy=True).message


def test_an_unknown_failure_says_at_which_step():
    error = explain("something else\n" * 100, "installing torch", "/f")
    assert "while installing torch" in error.message
    assert len(error.details.splitlines()) == 40


def test_passwords_in_addresses_reach_no_log():
    assert redacted("Looking in https://me:secret@pypi.example/simple") == "Looking in https://****@pypi.example/simple"
    assert redacted("http://token@host/a https://host/b@c") == "http://****@host/a https://host/b@c"


def test_pips_configuration_is_read_as_pip_reads_it(tmp_path):
    """pip itself, asked in the same place, says the same."""
    user = tmp_path / ".config/pip/pip.conf"
    user.parent.mkdir(parents=True)
    user.write_text(
        "[global]\nindex-url = https://mirror.example/simple\nfind-links =\n    /wheels\n    /more wheels\n"
        "[install]\nextra_index_url = https://a.example https://b.example\ntrusted-host = mirror.example\n"
    )
    environment = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PIP_PROXY": "http://proxy.example:3128",
        "PIP_INDEX_URL": "https://from-environment.example",
    }
    command = [sys.executable, "-m", "pip", "config", "list"]
    theirs = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    ours = read_pip_settings(environment, "linux", tmp_path)

    assert ours.index_url == "https://from-environment.example"
    assert f":env:.index-url='{ours.index_url}'" in theirs
    assert f":env:.proxy='{ours.proxy}'" in theirs
    assert ours.extra_index_urls == ("https://a.example", "https://b.example")
    assert "https://a.example https://b.example" in theirs
    assert ours.find_links[0] == "/wheels"
    assert ours.trusted_hosts == ("mirror.example",)


def test_where_pip_looks_on_other_systems():
    home = Path("/home/me")
    windows = read_pip_settings({"APPDATA": "/nowhere"}, "win32", home)
    assert windows == PipSettings()
    none = read_pip_settings({"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "0"}, "darwin", home)
    assert none == PipSettings()


def test_uv_is_told_in_its_own_words_and_the_users_words_win():
    settings = PipSettings("https://m/simple", ("https://a", "https://b"), ("/w",), cert="/ca.pem", proxy="http://p:1")
    told = uv_environment(
        {"UV_DEFAULT_INDEX": "https://mine", "PYTHONPATH": "/x", "https_proxy": "http://q:2"}, settings
    )
    assert told["UV_DEFAULT_INDEX"] == "https://mine"
    assert told["UV_INDEX"] == "https://a https://b"
    assert told["UV_FIND_LINKS"] == "/w"
    assert told["SSL_CERT_FILE"] == "/ca.pem"
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert told["https_proxy"] == "http://q:2"
    assert "HTTPS_PROXY" not in told
    assert "PYTHONPATH" not in told


def test_what_would_lead_the_packages_elsewhere_is_kept_from_pip():
    environment = pip_environment({"PIP_TARGET": "/x", "PIP_USER": "1", "PIP_PROXY": "p", "PYTHONHOME": "/y", "A": "b"})
    assert {"PIP_TARGET", "PIP_USER", "PYTHONHOME"}.isdisjoint(environment)
    assert (environment["PIP_PROXY"], environment["A"]) == ("p", "b")


def test_the_pinned_sizes_are_there_for_every_platform_and_python():
    from marigold_blender.runtime.requirements import PACKAGES, PLATFORMS, SUPPORTED_PYTHONS, TORCH, pins, wheel_sizes

    for platform in PLATFORMS.values():
        for python in SUPPORTED_PYTHONS:
            sizes = wheel_sizes(PACKAGES, platform, python)
            assert 60e6 < sum(sizes.values()) < 130e6, (platform, python)
            assert all(sizes.values()), [name for name, size in sizes.items() if not size]
            assert wheel_sizes(TORCH, platform, python)["torch"] > 100e6
    assert json.loads(pins("sizes.json").read_text())


def test_the_pins_are_the_versions_that_the_tests_run_with():
    """But numpy: Blender 4.x holds the tests at an older one."""
    from marigold_blender.runtime.requirements import PACKAGES, pins

    root = Path(__file__).resolve().parents[2]
    tested = dict(
        line.lower().replace("_", "-").split("==") for line in (root / "requirements/venv.lock").read_text().split()
    )
    pinned = [line.split(" ")[0] for line in pins(PACKAGES).read_text().splitlines() if "==" in line]
    for name, version in (line.split("==") for line in pinned):
        if name != "numpy" and name in tested:
            assert version == tested[name], name


def test_everything_that_the_package_needs_is_pinned():
    from packaging.requirements import Requirement

    from marigold_blender.runtime.requirements import PACKAGES, TORCH, canonical, pins

    lines = [*pins(PACKAGES).read_text().splitlines(), *pins(TORCH).read_text().splitlines()]
    pinned = dict(line.split(" ")[0].split("==") for line in lines if "==" in line)
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    for needed in map(Requirement, project["dependencies"]):
        assert needed.specifier.contains(pinned[canonical(needed.name)]), f"{needed}: run tools/lock_runtime.py"
