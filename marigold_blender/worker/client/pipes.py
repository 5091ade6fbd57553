# SPDX-License-Identifier: GPL-3.0-or-later
"""Non-blocking ends of the worker's pipes, on POSIX and on Windows. Called by `process.Worker`."""

from __future__ import annotations

import os
import sys
from typing import IO, Any, Protocol

READ_SIZE = 65536


class PipeClosedError(Exception):
    """The other end is gone."""


class PipeIO(Protocol):
    """How bytes are moved without ever waiting."""

    def read(self) -> bytes:
        """What has arrived, b"" when nothing has. Raises PipeClosedError."""

    def write(self, data: bytes) -> int:
        """How many bytes the pipe took, 0 when it is full. Raises PipeClosedError."""


class PosixPipes:
    def __init__(self, source: IO[bytes], sink: IO[bytes]) -> None:
        self._source, self._sink = source.fileno(), sink.fileno()
        os.set_blocking(self._source, False)
        os.set_blocking(self._sink, False)

    def read(self) -> bytes:
        try:
            data = os.read(self._source, READ_SIZE)
        except BlockingIOError:
            return b""
        if not data:
            raise PipeClosedError
        return data

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._sink, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            raise PipeClosedError from None


class WindowsPipes:
    """Anonymous pipes know no select: look before reading, and put the writing end into no-wait mode."""

    PIPE_NOWAIT = 0x00000001
    ERROR_BROKEN_PIPE = 109
    ERROR_NO_DATA = 232  # on a no-wait pipe: the reader has closed it

    def __init__(self, source: IO[bytes], sink: IO[bytes], kernel32: Any = None, handle_of: Any = None) -> None:
        """`kernel32` and `handle_of` are Windows' own unless a test passes its own."""
        import ctypes

        if kernel32 is None:
            kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
        if handle_of is None:
            import msvcrt

            handle_of = msvcrt.get_osfhandle  # type: ignore[attr-defined]
        self._ctypes, self._kernel32 = ctypes, kernel32
        self._source, self._sink = source.fileno(), sink.fileno()
        self._source_handle = ctypes.c_void_p(handle_of(self._source))
        mode = ctypes.c_ulong(self.PIPE_NOWAIT)
        sink_handle = ctypes.c_void_p(handle_of(self._sink))
        if not kernel32.SetNamedPipeHandleState(sink_handle, ctypes.byref(mode), None, None):
            raise OSError("the worker's pipe could not be made non-blocking")

    def read(self) -> bytes:
        available = self._ctypes.c_ulong(0)
        if not self._kernel32.PeekNamedPipe(self._source_handle, None, 0, None, self._ctypes.byref(available), None):
            raise PipeClosedError
        if not available.value:
            return b""
        return os.read(self._source, min(available.value, READ_SIZE))

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._sink, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if isinstance(error, BrokenPipeError) or getattr(error, "winerror", None) in (
                self.ERROR_BROKEN_PIPE,
                self.ERROR_NO_DATA,
            ):
                raise PipeClosedError from None
            raise


def open_pipes(source: IO[bytes], sink: IO[bytes]) -> PipeIO:
    """The pipes of this platform, around a worker's stdout and stdin."""
    return WindowsPipes(source, sink) if sys.platform == "win32" else PosixPipes(source, sink)
