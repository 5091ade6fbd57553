# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes an environment and installs the pinned packages into it, with pip or uv. Called by `install`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import MarigoldError
from .child import run
from .failures import explain, find_cause
from .folder import Layout, python_of
from .install_log import InstallLog
from .output import OutputReader, Reading
from .pip_settings import pip_environment, uv_environment
from .plan import OFFLINE_ADVICE, Plan
from .requirements import PACKAGES, PIP, TORCH, TORCH_VERSION, pins

# report(stage, done, total, unit, message, share of this part that is done)
Report = Callable[[str, int, int, str, str, float], None]
DOWNLOAD_SHARE = 0.7  # of a command's time, the rest is unpacking
UNPACK_BYTES = 150_000_000  # what unpacking many small packages costs, as if they were downloaded bytes
LOOK_S = 0.5
# ensurepip runs pip as a child, which on Linux would outlive a killed installer: here pip takes ensurepip's place
PIP_WITHOUT_CHILD = (
    "import ensurepip, os, subprocess\n"
    "subprocess.run = lambda command, **_: os.execv(command[0], command)\n"
    "ensurepip.bootstrap(default_pip=True)"
)


class Builder:
    """One environment in the making.

    Args:
        check: called often; raises to stop.
    """

    def __init__(
        self, plan: Plan, environment: Path, report: Report, check: Callable[[], None], log: InstallLog
    ) -> None:
        self._plan, self._environment = plan, environment
        self._layout = Layout(plan.options.folder)
        self._python = str(python_of(environment))
        self._report, self._check, self._log = report, check, log
        packages = sum(plan.packages.values()) + UNPACK_BYTES
        self._packages_share = packages / (packages + plan.build.download_bytes)

    def build(self) -> None:
        """Make it.

        Raises:
            MarigoldError: a step failed (with advice), or `check` raised.
        """
        self._create()
        plan, middle = self._plan, self._packages_share
        if plan.uv:
            packages, torch = [self._uv("-r", pins(PACKAGES))], self._torch_by_uv()
        else:
            raw = self._renew_pip()
            packages, torch = [self._pip(raw, "-r", pins(PACKAGES))], [self._torch_by_pip(raw)]
        self._install("the packages", packages, Progress(self, plan.packages, (0.03, middle)))
        self._install("torch", torch, Progress(self, plan.torch, (middle, 1.0), plan.build.download_bytes))

    def _create(self) -> None:
        plan, environment = self._plan, self._environment
        self._report("creating", 0, 1, "", "Making the environment", 0.0)
        base = str(plan.base.executable)
        if plan.uv:
            self._run("making the environment", [plan.uv, "venv", "--python", base, "--no-config", str(environment)])
        else:
            # -I and no pip yet: its installation is a step of its own, with a message of its own
            self._run("making the environment", [base, "-I", "-m", "venv", "--without-pip", str(environment)])
        if not Path(self._python).exists():  # Windows: a Python that was shipped without its launchers
            raise MarigoldError(
                "no_runtime",
                f"“{base}” cannot make environments (its venv made none): name another Python as Base Python in the "
                "add-on's preferences.",
                fix="preferences.addon_show",
            )
        if not plan.uv:
            with_pip = ["-m", "ensurepip", "--default-pip"] if os.name == "nt" else ["-c", PIP_WITHOUT_CHILD]
            self._run("installing pip", [self._python, "-I", *with_pip])

    def _renew_pip(self) -> bool:
        """Install the pinned pip, which prints its progress; whether it is there."""
        command = self._pip(False, "--upgrade", "-r", pins(PIP))
        try:
            self._run("renewing pip", command)
        except MarigoldError as error:
            cause, _ = find_cause(error.details)
            if cause is None or cause.name != "no_wheel":
                raise
            self._log.write("The index has not the pinned pip: the base's own is used, without progress in bytes.")
            return False
        return True

    def _pip(self, raw: bool, *arguments: object) -> list[str]:
        """pip's command line for pinned packages."""
        return [*self._pip_base(raw), "--no-deps", "--require-hashes", *map(str, arguments)]

    def _pip_base(self, raw: bool) -> list[str]:
        command = [
            self._python,
            "-I",
            "-X",
            "utf8",
            "-m",
            "pip",
            "--no-input",
            "--log",
            str(self._debug_log),
            "install",
        ]
        command += ["--no-user", "--only-binary=:all:", "--no-warn-script-location"]
        command += ["--progress-bar", "raw" if raw else "off"]
        if not self._plan.settings.cache_dir:
            command += ["--cache-dir", str(self._layout.downloads)]
        return command + (["--no-index"] if self._plan.options.offline else [])

    def _torch_by_pip(self, raw: bool) -> list[str]:
        build = self._plan.build
        if build.on_pypi:
            return self._pip(raw, "-r", pins(TORCH))
        index = ["--extra-index-url", build.index]
        return [*self._pip_base(raw), *index, build.requirement]

    def _uv(self, *arguments: object, pinned: bool = True) -> list[str]:
        command = [self._plan.uv, "pip", "install", "--python", self._python, "--only-binary", ":all:"]
        command += ["--compile-bytecode"]  # as pip does: the worker writes none itself
        command += ["--offline"] if self._plan.options.offline else []
        return command + (["--no-deps", "--require-hashes"] if pinned else []) + [*map(str, arguments)]

    def _torch_by_uv(self) -> list[list[str]]:
        """What to try one after the other: uv, unlike pip, gives up where one of its indexes is out of reach."""
        build = self._plan.build
        if build.on_pypi:
            return [self._uv("-r", pins(TORCH))]
        plain = self._uv(build.requirement, pinned=False)
        if self._plan.options.accelerator == "auto" and build.accelerator in ("rocm", "xpu"):
            # uv knows which build suits the card better than a fixed one does
            own = self._uv(f"torch=={TORCH_VERSION}", "--torch-backend", "auto", pinned=False)
        elif os.environ.get("MARIGOLD_TORCH_INDEX"):
            own = self._uv(build.requirement, "--index", build.index, pinned=False)
        else:
            own = self._uv(build.requirement, "--torch-backend", build.tag, pinned=False)
        return [plain, own] if self._plan.settings.names_places else [own]

    def _install(self, what: str, commands: list[list[str]], progress: Progress) -> None:
        """Run one command of pip or uv, or the next where it finds nothing."""
        self._report("downloading", 0, progress.total, "bytes", f"Installing {what}", progress.start)
        for number, command in enumerate(commands):
            try:
                self._run(f"installing {what}", command, progress)
                return
            except MarigoldError as error:
                cause, _ = find_cause(error.details)
                if number == len(commands) - 1 or cause is None or cause.name != "no_wheel":
                    raise

    def _run(self, step: str, command: list[str], progress: Progress | None = None) -> None:
        """Run a command to its end.

        Raises:
            MarigoldError: it failed (with advice), or `check` raised.
        """
        self._log.write(f"$ {' '.join(command)}")
        self._debug_log.unlink(missing_ok=True)
        started = time.monotonic()

        def on_line(line: str) -> None:
            if progress and progress.read(line):
                return  # dozens a second: not for the log
            self._log.write(line)

        def on_step() -> None:
            self._check()
            if progress:
                progress.look()

        try:
            code, output = run(command, self._variables(), self._layout.temporary, on_line, on_step)
        except OSError as error:
            raise explain(f"{command[0]}: {error}", step, self._layout.folder) from error
        self._log.write(f"({time.monotonic() - started:.1f} s, code {code})")
        self._check()  # Ctrl-C in a terminal ends pip too: that is no failure
        if code:
            output += f"\nended by signal {-code}" if code < 0 else ""
            raise self._explained(output + self._swallowed(output), step)

    def _explained(self, output: str, step: str) -> MarigoldError:
        error = explain(output, step, self._layout.folder, self._has_proxy())
        cause, match = find_cause(output)
        if self._plan.options.offline and cause and match and cause.name in ("no_wheel", "no_network"):
            what = match.groupdict().get("what") or "all the packages"
            message = f"Nothing may be sent, and pip's folders on this computer have not {what}: {OFFLINE_ADVICE}."
            return MarigoldError("no_runtime", message, fix=error.fix, details=error.details)
        return error

    def _variables(self) -> dict[str, str]:
        """The user's environment, with temporary files on the runtime's own disk: /tmp is often too small for torch."""
        plan = self._plan
        variables = uv_environment(os.environ, plan.settings) if plan.uv else pip_environment(os.environ)
        temporary = str(self._layout.temporary)
        variables |= {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}
        if plan.uv:
            variables.setdefault("UV_CACHE_DIR", plan.settings.cache_dir or str(self._layout.downloads))
        return variables

    def _has_proxy(self) -> bool:
        names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
        return bool(self._plan.settings.proxy or any(os.environ.get(n) or os.environ.get(n.lower()) for n in names))

    @property
    def _debug_log(self) -> Path:
        return self._layout.temporary / "pip-debug.log"

    def _swallowed(self, output: str) -> str:
        """Why pip did not get the index page of what it found no version of: it tells that to its debug log alone."""
        missing = re.search(r"No matching distribution found for ([\w.-]+)", output)
        if not missing or not self._debug_log.exists():
            return ""
        page = re.compile(rf"Could not fetch URL \S+/{re.escape(missing[1])}/: (.*)", re.IGNORECASE)
        log = self._debug_log.read_text(encoding="utf-8", errors="replace")
        return "".join(f"\n{match[0]}" for match in page.finditer(log))


class Progress:
    """Reports how far one command of pip or uv is: bytes from its output, packages by counting what is installed.

    Args:
        sizes: bytes of each package that it will want.
        span: where in the whole it begins and ends, 0..1.
        at_least: bytes of all, where a build brings packages that are not in `sizes`.
    """

    def __init__(
        self, builder: Builder, sizes: Mapping[str, int], span: tuple[float, float], at_least: int = 0
    ) -> None:
        self._report = builder._report
        self._site = builder._environment
        self.total = max(sum(sizes.values()), at_least)
        self._reader = OutputReader(sizes, at_least=at_least, parallel=bool(builder._plan.uv))
        self.start, self._span = span[0], span[1] - span[0]
        self._reading: Reading | None = None
        self._before = 0
        self._looked_at = 0.0

    def read(self, line: str) -> bool:
        """Take a line of output; whether it was nothing but progress."""
        reading = self._reader.feed(line)
        if reading and reading != self._reading:
            if reading.stage == "installing":
                self._before = self._installed()
            self._reading = reading
            share = reading.done / reading.total if reading.total and reading.stage == "downloading" else 0.0
            part = DOWNLOAD_SHARE * (share if reading.stage == "downloading" else 1.0)
            unit = "bytes" if reading.stage == "downloading" else "packages"
            self._report(
                reading.stage, reading.done, reading.total, unit, reading.message, self.start + self._span * part
            )
        return line.startswith("Progress ")

    def look(self) -> None:
        """Count the packages that are there, while pip is silent unpacking them."""
        reading, now = self._reading, time.monotonic()
        if reading is None or reading.stage != "installing" or now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        done = min(self._installed() - self._before, reading.total)
        part = DOWNLOAD_SHARE + (1 - DOWNLOAD_SHARE) * done / reading.total
        self._report("installing", done, reading.total, "packages", reading.message, self.start + self._span * part)

    def _installed(self) -> int:
        patterns = ("lib/python*/site-packages/*.dist-info", "Lib/site-packages/*.dist-info")
        return sum(1 for pattern in patterns for _ in self._site.glob(pattern))
