"""What an installation would do on this and on other computers: base Python, torch's build, space, installer."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.runtime import bases
from marigold_blender.runtime.accelerators import Gpu, ask_cuda, choose_build, find_amd
from marigold_blender.runtime.bases import check_base, choose_base, problem_of
from marigold_blender.runtime.build import Builder
from marigold_blender.runtime.folder import Layout, make_ready
from marigold_blender.runtime.install_log import InstallLog
from marigold_blender.runtime.plan import Options, check_space, find_uv, make_plan
from marigold_blender.runtime.process_tree import kill_tree
from tests.faults.package_index import find_test_uv

LINUX, WINDOWS, MAC, ARM = "linux-x86_64", "win-amd64", "macos-arm64", "linux-aarch64"
PYTHON = (3, 11)
RTX_4090 = Gpu("nvidia", "RTX 4090", (13, 0), (8, 9))
RTX_5090 = Gpu("nvidia", "RTX 5090", (13, 1), (12, 0))
GTX_1080 = Gpu("nvidia", "GTX 1080", (12, 8), (6, 1))
RADEON = Gpu("amd", "AMD graphics card")


@pytest.mark.parametrize(
    ("platform", "wish", "gpu", "tag", "on_pypi"),
    [
        (LINUX, "auto", None, "cpu", False),
        (LINUX, "auto", RTX_4090, "cu130", True),
        (LINUX, "cuda", RTX_5090, "cu130", True),
        (LINUX, "auto", GTX_1080, "cu126", False),
        (LINUX, "auto", RADEON, "rocm7.2", False),
        (LINUX, "xpu", None, "xpu", False),
        (LINUX, "cpu", RTX_4090, "cpu", False),
        (WINDOWS, "auto", None, "cpu", True),
        (WINDOWS, "auto", RTX_4090, "cu130", False),
        (WINDOWS, "auto", RADEON, "cpu", True),
        (MAC, "auto", None, "mps", True),
        (MAC, "cpu", None, "mps", True),
        (ARM, "auto", RTX_4090, "cu130", True),
    ],
)
def test_the_build_that_suits_a_computer(platform, wish, gpu, tag, on_pypi):
    build = choose_build(wish, platform, PYTHON, lambda: gpu)
    assert (build.tag, build.on_pypi) == (tag, on_pypi)
    assert build.requirement == ("torch==2.13.0" if on_pypi else f"torch==2.13.0+{tag}")
    assert build.index == ("" if on_pypi else f"https://download.pytorch.org/whl/{tag}")
    assert build.download_bytes > 100e6


def test_an_old_driver_means_the_cpu_and_a_note_by_itself_but_a_refusal_when_cuda_was_asked_for():
    old = Gpu("nvidia", "RTX 5090", (12, 4), (12, 0))
    build = choose_build("auto", LINUX, PYTHON, lambda: old)
    assert build.tag == "cpu"
    assert "update it to 580 or newer" in build.note
    with pytest.raises(MarigoldError, match="driver of the RTX 5090 is too old"):
        choose_build("cuda", LINUX, PYTHON, lambda: old)


@pytest.mark.parametrize(
    ("platform", "wish", "gpu", "words"),
    [
        (LINUX, "cuda", None, "No graphics card for NVIDIA's CUDA"),
        (LINUX, "rocm", RTX_4090, "No graphics card for AMD's ROCm"),
        (LINUX, "mps", None, "no build for Apple's GPU"),
        (MAC, "cuda", None, "no build for NVIDIA's CUDA"),
        (WINDOWS, "rocm", RADEON, "no build for AMD's ROCm"),
        (LINUX, "tpu", None, "no accelerator “tpu”"),
    ],
)
def test_what_a_computer_has_not_is_refused_in_one_sentence(platform, wish, gpu, words):
    with pytest.raises(MarigoldError, match=words):
        choose_build(wish, platform, PYTHON, lambda: gpu)


def test_an_old_card_is_named():
    with pytest.raises(MarigoldError, match="GTX 680 is too old"):
        choose_build("cuda", LINUX, PYTHON, lambda: Gpu("nvidia", "GTX 680", (11, 4), (3, 0)))


class CudaDriver:
    """Answers as NVIDIA's driver library does; there is none on the machines that run this."""

    def __init__(self, devices: int = 1) -> None:
        self.devices = devices

    def cuInit(self, flags):  # noqa: N802 - NVIDIA's name
        return 0

    def cuDriverGetVersion(self, version):  # noqa: N802
        version._obj.value = 13010
        return 0

    def cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = self.devices
        return 0

    def cuDeviceGetName(self, name, length, device):  # noqa: N802
        ctypes.memmove(name, b"RTX 4090\0", 9)

    def cuDeviceGetAttribute(self, value, attribute, device):  # noqa: N802
        value._obj.value = {75: 8, 76: 9}[attribute]


def test_nvidias_driver_is_asked():
    assert ask_cuda(CudaDriver()) == Gpu("nvidia", "RTX 4090", (13, 1), (8, 9))
    assert ask_cuda(CudaDriver(devices=0)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the ROCm driver is looked for on Linux alone")
def test_amds_driver_is_found_by_its_device_and_a_node_that_is_no_processor(tmp_path):
    nodes = tmp_path / "sys/class/kfd/kfd/topology/nodes"
    for node, number in (("0", "0\n"), ("1", "4660\n")):
        (nodes / node).mkdir(parents=True)
        (nodes / node / "gpu_id").write_text(number)
    assert find_amd(tmp_path) is None
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    assert find_amd(tmp_path).vendor == "amd"
    (nodes / "1/gpu_id").write_text("0\n")
    assert find_amd(tmp_path) is None


def test_this_python_can_be_the_base_and_an_environment_stands_for_its_own_base():
    base = check_base(sys.executable)
    assert base.version == sys.version_info[:3]
    assert base.executable.resolve().is_relative_to(Path(sys.base_prefix).resolve())


GOOD = {
    "version": [3, 11, 7],
    "implementation": "CPython",
    "bits": 64,
    "venv": True,
    "ensurepip": True,
    "free_threaded": False,
    "libc": ["glibc", "2.36"],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": [3, 14, 0]}, "is Python 3.14, but the runtime needs 3.11 to 3.13"),
        ({"version": [3, 10, 1]}, "is Python 3.10"),
        ({"ensurepip": False}, "has no ensurepip"),
        ({"venv": False, "ensurepip": False}, "has no venv"),
        ({"bits": 32}, "32-bit"),
        ({"implementation": "PyPy"}, "is PyPy"),
        ({"free_threaded": True}, "free-threaded"),
        ({"libc": ["", ""]}, "no glibc"),
        ({"libc": ["glibc", "2.17"]}, "glibc 2.17 is older"),
    ],
)
def test_an_unfit_python_is_told_by_what_it_lacks(change, words):
    assert words in problem_of({**GOOD, **change}, "/usr/bin/python3")


def test_a_fit_python_has_no_problem_and_the_stores_has():
    assert problem_of(GOOD, "/usr/bin/python3") == ""
    assert problem_of({**GOOD, "venv": False, "ensurepip": False}, "/usr/bin/python3", with_uv=True) == ""
    assert "Microsoft Store" in problem_of(GOOD, r"C:\Users\me\AppData\Local\Microsoft\WindowsApps\python.exe")


@pytest.mark.parametrize("named", ["/bin/ls", "/nowhere/python"])
def test_what_is_no_python_is_one_sentence_with_what_to_do(named):
    with pytest.raises(MarigoldError, match="is not a Python that runs here: name a Python") as refused:
        check_base(named)
    assert refused.value.fix == "preferences.addon_show"


@pytest.fixture
def without_ensurepip(tmp_path) -> str:
    """A Python like Debian's: everything but ensurepip."""
    folder = tmp_path / "debian"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "sitecustomize.py").write_text("import sys; sys.modules['ensurepip'] = None")
    return str(folder / "bin/python")


def test_a_named_base_without_ensurepip_is_refused_and_not_replaced(without_ensurepip):
    with pytest.raises(MarigoldError, match="has no ensurepip"):
        choose_base(without_ensurepip, sys.executable, with_uv=False)
    assert choose_base(without_ensurepip, sys.executable, with_uv=True).version[:2] == sys.version_info[:2]


def test_blenders_own_python_is_replaced_by_one_that_is_found_and_this_is_told(without_ensurepip, monkeypatch):
    monkeypatch.setattr(bases, "found_pythons", lambda: ["/bin/ls", sys.executable])
    base = choose_base("", without_ensurepip, with_uv=False)
    assert base.version == sys.version_info[:3]
    assert "has no ensurepip" in base.note
    assert "is used instead" in base.note
    monkeypatch.setattr(bases, "found_pythons", lambda: [])
    with pytest.raises(MarigoldError, match="has no ensurepip, so that no environment can be made from it: name a"):
        choose_base("", without_ensurepip, with_uv=False)


def test_the_plan_tells_steps_sizes_and_space(tmp_path):
    plan = make_plan(Options(tmp_path / "runtime", accelerator="cpu", installer="pip"))
    told = json.loads(json.dumps(plan.to_json()))
    assert len(told["steps"]) == 4
    assert "torch 2.13.0 for the CPU" in told["steps"][2]
    assert 200e6 < told["download_bytes"] < 400e6
    assert told["disk_bytes"] > 3 * told["download_bytes"]
    assert told["free_bytes"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    check_space(plan)
    assert not (tmp_path / "runtime").exists()  # looking changes nothing


def test_too_small_a_disk_is_refused_before_anything_is_fetched(tmp_path):
    plan = make_plan(Options(tmp_path / "runtime", accelerator="cpu", installer="pip"))
    with pytest.raises(MarigoldError, match=r"needs \d\.\d GB .* and 100 MB are free"):
        check_space(replace(plan, free_bytes=100_000_000))


def test_without_network_and_without_a_folder_of_packages_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(MarigoldError, match="allow online access"):
        make_plan(Options(tmp_path / "runtime", accelerator="cpu", offline=True))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    plan = make_plan(Options(tmp_path / "runtime", accelerator="cpu", offline=True))
    assert any("Nothing is sent" in note for note in plan.notes)


def test_uv_is_taken_where_it_is_and_asked_for_only_where_it_is(monkeypatch, tmp_path):
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("MARIGOLD_UV", str(uv))
    assert find_uv("auto") == find_uv("uv") == str(uv)
    assert find_uv("pip") == ""
    monkeypatch.setenv("MARIGOLD_UV", str(tmp_path / "none"))
    assert find_uv("auto") == ""
    with pytest.raises(MarigoldError, match="uv was asked for"):
        find_uv("uv")


@pytest.mark.skipif(find_test_uv() is None, reason="uv is not installed here: pip install -r requirements/venv.lock")
def test_uv_makes_an_environment_from_a_base_without_ensurepip(without_ensurepip, tmp_path, monkeypatch):
    monkeypatch.setenv("MARIGOLD_UV", find_test_uv())
    layout = Layout(tmp_path / "Ünï cöde" / "runtime")
    make_ready(layout)
    options = Options(layout.folder, base_python=without_ensurepip, accelerator="cpu", installer="uv")
    environment = layout.new_environment()
    builder = Builder(make_plan(options), environment, lambda *a: None, lambda: None, InstallLog(layout, "test"))
    builder._create()
    assert (environment / "bin/python").exists()


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
def test_killing_a_tree_leaves_nothing_of_it():
    program = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    child = int(parent.stdout.readline())
    kill_tree(parent, None)
    assert parent.returncode
    deadline = time.monotonic() + 2.0
    while (status := Path(f"/proc/{child}/stat")).exists() and " Z " not in status.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_windows_ends_the_job_object_with_all_in_it():
    ended = []
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    class Kernel:
        def TerminateJobObject(self, job, code):  # noqa: N802 - Windows' name
            ended.append((job, code))

    kill_tree(process, 7, "win32", Kernel())
    assert ended == [(7, 1)]
    assert process.poll() is not None
