"""What differs between platforms: the Windows branches run here against a kernel that only records."""

import ctypes
import os
import subprocess
import sys

import pytest

from marigold_blender.worker.client.lifetime import popen_options, tie_to_us
from marigold_blender.worker.client.pipes import PipeClosedError, PosixPipes, WindowsPipes


class Kernel:
    """Answers as Windows' kernel32 does for a pipe that a test fills by `os.pipe`."""

    def __init__(self, available: int = 0, is_open: bool = True) -> None:
        self.available, self.is_open = available, is_open
        self.modes: list[int] = []
        self.limits: list[int] = []
        self.assigned: list[int] = []

    def SetNamedPipeHandleState(self, handle, mode, count, timeout):  # noqa: N802 - Windows' name
        self.modes.append(mode._obj.value)
        return 1

    def PeekNamedPipe(self, handle, buffer, size, read, available, left):  # noqa: N802
        available._obj.value = self.available
        return int(self.is_open)

    class _Create:
        restype = None

        def __call__(self, attributes, name):
            return 7

    CreateJobObjectW = _Create()

    def SetInformationJobObject(self, job, kind, information, size):  # noqa: N802
        self.limits.append(ctypes.c_ulong.from_buffer(information, 16).value)

    def AssignProcessToJobObject(self, job, process):  # noqa: N802
        self.assigned.append(process.value)


@pytest.fixture
def pipe_files():
    """Our reading end with its writer, and our writing end with its reader."""
    from_worker, worker_out = os.pipe()
    worker_in, to_worker = os.pipe()
    files = [os.fdopen(from_worker, "rb", 0), os.fdopen(to_worker, "wb", 0)]
    yield files[0], files[1], worker_out, worker_in
    for file in files:
        file.close()
    for descriptor in (worker_out, worker_in):
        try:
            os.close(descriptor)
        except OSError:
            continue  # the test closed it


def test_windows_reads_only_what_is_there(pipe_files):
    source, sink, worker_out, _ = pipe_files
    kernel = Kernel()
    pipes = WindowsPipes(source, sink, kernel, handle_of=lambda descriptor: descriptor)
    assert kernel.modes == [WindowsPipes.PIPE_NOWAIT]
    assert pipes.read() == b""  # would block for ever if it read
    os.write(worker_out, b"hello\n")
    kernel.available = 6
    assert pipes.read() == b"hello\n"


def test_windows_notices_a_closed_pipe(pipe_files):
    source, sink, _, _ = pipe_files
    pipes = WindowsPipes(source, sink, Kernel(is_open=False), handle_of=lambda descriptor: descriptor)
    with pytest.raises(PipeClosedError):
        pipes.read()


def test_posix_never_waits_and_notices_the_end(pipe_files):
    source, sink, worker_out, worker_in = pipe_files
    pipes = PosixPipes(source, sink)
    assert pipes.read() == b""
    while pipes.write(b"x" * 4096):
        pass  # until the pipe is full: the next one is refused rather than waited for
    assert pipes.write(b"x") == 0
    os.close(worker_out)
    os.close(worker_in)
    with pytest.raises(PipeClosedError):
        pipes.read()
    with pytest.raises(PipeClosedError):
        pipes.write(b"x")


def test_windows_starts_without_a_console_at_lower_priority():
    assert popen_options("win32") == {"creationflags": 0x08000000 | 0x00004000}
    assert popen_options("linux") == {"start_new_session": True}


def test_windows_puts_the_worker_into_a_job_that_closes_with_us():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process._handle = 42
    kernel = Kernel()
    job = tie_to_us(process, "win32", kernel)
    process.wait()
    assert job.value == 7
    assert (kernel.limits, kernel.assigned) == ([0x2000], [42])
    assert tie_to_us(process, "linux") is None


def test_stray_prints_do_not_reach_the_protocol():
    program = (
        "import os; from marigold_blender.worker.server.main import _claim_stdout\n"
        "protocol = _claim_stdout()\n"
        "print('stray'); os.system('echo from a child'); os.write(protocol, b'message')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "message"
    assert "stray" in done.stderr
    assert "from a child" in done.stderr
