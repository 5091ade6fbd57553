# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an installation failed, in one sentence with what to do, read off what pip, uv, Python or torch printed.

A table from patterns to advice: the first that matches wins, so causes stand before their consequences (pip ends a lost
connection with “No matching distribution”). Used by `build` and `verify`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ErrorKind, MarigoldError

AGAIN = "marigold.install_runtime"
CHOOSE = "preferences.addon_show"
DETAIL_LINES = 40


@dataclass(frozen=True)
class Cause:
    """A known cause.

    Attributes:
        name: for programs and tests.
        pattern: what is printed then; a group `what` fills {what} in the sentence.
        sentence: what is wrong and what to do; may name {folder} and {what}.
        fix: the operator that mends it.
    """

    name: str
    pattern: str
    sentence: str
    kind: ErrorKind = "no_runtime"
    fix: str | None = AGAIN


CAUSES = (
    Cause(
        "disk_full",
        r"\[Errno 28\]|No space left on device|os error 28|\[WinError 112\]|os error 112|not enough space on the disk",
        "The disk ran full while installing into “{folder}”: free space (the panel says how much is needed) or choose "
        "a folder on another disk; what was downloaded is kept.",
        "cannot_write",
        CHOOSE,
    ),
    Cause(
        "quota",
        r"\[Errno 122\]|Disk quota exceeded|os error 122",
        "Your quota on the disk of “{folder}” is used up: choose a folder on another disk.",
        "cannot_write",
        CHOOSE,
    ),
    Cause(
        "file_too_large",
        r"\[Errno 27\]|File too large|os error 27",
        "The disk of “{folder}” or a limit of this system does not hold files this large (FAT32 holds 4 GB): choose a "
        "folder on another disk.",
        "cannot_write",
        CHOOSE,
    ),
    Cause(
        "read_only",
        r"\[Errno 30\]|Read-only file system|os error 30|\[WinError 19\]",
        "The folder “{folder}” is on a disk that can only be read: choose another.",
        "cannot_write",
        CHOOSE,
    ),
    Cause(
        "long_path",
        r"Windows Long Path support|\[WinError 206\]|The filename or extension is too long|os error 206",
        "The folder “{folder}” is too deep for this Windows: choose one nearer to the drive, such as C:\\marigold.",
        "cannot_write",
        CHOOSE,
    ),
    Cause(
        "blocked_by_policy",
        r"\[WinError 4551\]|Application Control policy|\[WinError 1260\]|library load disallowed by system policy|"
        r"\[WinError 225\]|contains a virus",
        "A security policy or virus scanner of this computer blocked a file of the runtime: allow “{folder}” there, "
        "then install again.",
    ),
    Cause(
        "in_use",
        r"\[WinError 32\]|being used by another process|os error 32\b",
        "Another program (often a virus scanner) holds a file in “{folder}” open: exclude that folder from scanning, "
        "then install again.",
        "cannot_write",
    ),
    Cause(
        "permission",
        r"\[Errno 13\]|Permission denied|os error 13|\[WinError 5\]|Access is denied|os error 5\b|\[Errno 1\]",
        "A file in “{folder}” could not be written (no permission, or a virus scanner holds it): choose a folder of "
        "your own, or exclude it from scanning, then install again.",
        "cannot_write",
        CHOOSE,
    ),
    Cause(
        "hash_mismatch",
        r"DO NOT MATCH THE HASHES|[Hh]ash mismatch|hashes? are? required|Can't verify hashes",
        "A downloaded package is not the one that was pinned: a mirror or proxy changed it; install again from "
        "another network, or correct the package index that pip is set to.",
    ),
    Cause(
        "proxy_login",
        r"407 Proxy Auth|proxy authorization required",
        "The proxy of this network wants a name and password: set HTTPS_PROXY to http://NAME:PASSWORD@PROXY:PORT (or "
        "`pip config set global.proxy …`), start Blender again and install again.",
    ),
    Cause(
        "tls",
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer|problem confirming the ssl certificate|"
        r"self.signed certificate",
        "The network replaces the certificates of package servers (a company proxy or a virus scanner does): name its "
        "certificate with `pip config set global.cert FILE`, or use another network, then install again.",
    ),
    Cause(
        "proxy",
        r"Cannot connect to proxy|ProxyError|Tunnel connection failed|tunnel error|proxy URL",
        "The proxy that this computer is set to does not answer: correct HTTPS_PROXY or pip's proxy setting, or switch "
        "it off, then install again.",
    ),
    Cause(
        "refused_by_index",
        r"(?P<what>40[13]) (?:Client Error|Forbidden|Unauthorized)|\((?P<code>40[13]) (?:Forbidden|Unauthorized)\)|"
        r"returned a 40[13]|authentication credentials",
        "The package index refused the request: correct the index or the login that pip is set to, then install again.",
    ),
    Cause(
        "index_down",
        r"50[0234] (?:Server Error|Bad Gateway|Service Unavailable|Gateway Time|Internal Server)|"
        r"429 (?:Client|Too Many)|HTTP status server error",
        "The package index has a problem of its own just now: install again later; what was downloaded is kept.",
    ),
    Cause(
        "timeout",
        r"[Rr]ead timed out|ReadTimeout|ConnectTimeout|operation timed out|timed out|IncompleteRead|"
        r"incomplete.download|Connection reset|os error 104|connection closed before|ConnectionResetError",
        "The connection to the package index is too slow or broke off: install again; what was downloaded is kept.",
    ),
    Cause(
        "no_network",
        r"Failed to resolve|Name or service not known|Temporary failure in name resolution|nodename nor servname|"
        r"getaddrinfo failed|dns error|No address associated|\[Errno 11001\]|\[WinError 100(?:51|65)\]|"
        r"Network is unreachable|No route to host|Failed to establish a new connection|Connection refused|"
        r"connection error|Network connectivity is disabled|client error \(Connect\)",
        "The package index cannot be reached: check the network (a firewall may block Blender's Python), then install "
        "again; what was downloaded is kept.",
    ),
    Cause(
        "no_wheel",
        r"(?:No matching distribution found for|no version of|has no wheels with a matching|not find a version that "
        r"satisfies the requirement) (?P<what>[\w.+=<>~!-]+)|is not a supported wheel|No solution found",
        "The package index that pip is set to has no {what} for this Python and system: choose another Base Python, or "
        "correct the index, then install again.",
        fix=CHOOSE,
    ),
    Cause(
        "dll",
        r"\[WinError 126\]|\[WinError 127\]|\[WinError 1114\]|DLL load failed|c10\.dll|fbgemm\.dll",
        "torch cannot load its libraries: install Microsoft's Visual C++ Redistributable (x64), then install again.",
    ),
    Cause(
        "old_cpu",
        r"Illegal instruction|signal 4\b|0xC000001D|3221225501",
        "This processor is too old for torch (it lacks AVX): a newer computer is needed.",
        fix=None,
    ),
    Cause(
        "memory",
        r"MemoryError|Cannot allocate memory|\[Errno 12\]|signal 9\b|\[WinError 1455\]|paging file is too small",
        "The computer ran out of memory while installing: close other programs, then install again.",
        "out_of_memory",
    ),
    Cause(
        "damaged",
        r"BadZipFile|is not a valid wheel|Wheel .{1,200} is invalid|invalid wheel|CRC-32|zlib\.error",
        "A downloaded package is damaged: install again, it will be fetched anew.",
    ),
    Cause(
        "no_pip",
        r"No module named '?(?:pip|ensurepip|venv)|ensurepip is not available",
        "The base Python cannot make environments (it lacks venv or ensurepip): name another as Base Python in the "
        "add-on's preferences.",
        fix=CHOOSE,
    ),
)
UNKNOWN = "The installation failed while {step}: the log says why; install again, or choose another Base Python."


def explain(output: str, step: str, folder: object, through_proxy: bool = False) -> MarigoldError:
    """The error for a command that failed.

    Args:
        output: what it printed.
        step: what was being done, for a cause that is not in the table: “installing torch”.
        folder: the runtime's folder.
        through_proxy: whether the network is reached through one: then a connection that is refused is the proxy's.
    """
    details = "\n".join(redacted(output).strip().splitlines()[-DETAIL_LINES:])
    cause, match = find_cause(output)
    if cause is None or match is None:
        return MarigoldError("no_runtime", UNKNOWN.format(step=step), fix=AGAIN, details=details)
    if through_proxy and cause.name == "no_network":
        cause = next(cause for cause in CAUSES if cause.name == "proxy")
    what = (match.groupdict().get("what") or "such package").rstrip(".")
    return MarigoldError(cause.kind, cause.sentence.format(folder=folder, what=what), fix=cause.fix, details=details)


def find_cause(output: str) -> tuple[Cause, re.Match[str]] | tuple[None, None]:
    """The first known cause that the output shows."""
    for cause in CAUSES:
        if match := re.search(cause.pattern, output):
            return cause, match
    return None, None


def redacted(text: str) -> str:
    """Without the name and password of an address: logs are pasted into forums."""
    return re.sub(r"(?<=://)[^/\s@:]+(?::[^/\s@]*)?@", "****@", text)
