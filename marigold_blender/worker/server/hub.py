# SPDX-License-Identifier: GPL-3.0-or-later
"""The model hub as one user reaches it: lists repositories through huggingface_hub, opens files. Used by `download`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import httpx2
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url, set_client_factory
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ... import __version__
from ...errors import MarigoldError
from ...models.manifest import ModelFile
from ...models.network import Network, without_secrets
from . import permission
from .background import ByteStream, Check, run_in_background
from .patience import Patience, asked_to_wait, is_passing, keep_trying

CONNECT_S = 15.0
ASK_S = 20.0
ASK_TRIES = 3
DIGEST_OF_LENGTH = {64: "sha256", 40: "git"}


@dataclass(frozen=True)
class Listing:
    """A repository at one commit: size and digest (see `ModelFile`) of its files by path."""

    commit: str
    files: dict[str, tuple[int, str]]


class Hub:
    """A session with the hub.

    Args:
        network: endpoint, proxy, token.

    Raises:
        MarigoldError: the proxy's address cannot be used (`bad_input`).
    """

    def __init__(self, network: Network, patience: Patience) -> None:
        self.network = network
        self._patience = patience
        try:
            self._client = httpx2.Client(
                proxy=network.proxy or None,
                timeout=httpx2.Timeout(patience.stall_s, connect=min(CONNECT_S, patience.stall_s)),
                follow_redirects=True,
                event_hooks={"request": [lambda request: permission.check()]},  # asked again at every redirect
            )
        except (ValueError, ImportError, httpx2.InvalidURL) as error:
            raise MarigoldError(
                "bad_input",
                f"The proxy cannot be used ({without_secrets(str(error), network)}): correct its address.",
            ) from error
        set_client_factory(lambda: self._client)
        self._api = HfApi(
            endpoint=network.endpoint,
            token=network.token or False,
            library_name="marigold_blender",
            library_version=__version__,
        )

    def list_files(self, hub_id: str, revision: str, check: Check) -> Listing:
        """What a repository holds.

        Args:
            revision: a commit; empty: the newest.

        Raises:
            MarigoldError: it is not there or not open to this user (`network`), and what `check` raises.
            PassingFaultError: the hub cannot be reached.
        """
        return keep_trying(
            lambda: run_in_background(lambda: self._list(hub_id, revision), check), ASK_TRIES, self._patience, check
        )

    def open(self, file: ModelFile, first_byte: int) -> ByteStream:
        """Ask for a file from one byte on."""
        revision, path = quote(file.revision, safe=""), quote(file.path)
        headers = {"accept-encoding": "identity", "user-agent": f"marigold_blender/{__version__}"}
        if self.network.token:
            headers["authorization"] = f"Bearer {self.network.token}"  # httpx2 drops it when another host takes over
        if first_byte:
            headers["range"] = f"bytes={first_byte}-"
        return ByteStream(self._client, f"{self.network.endpoint}/{file.hub_id}/resolve/{revision}/{path}", headers)

    def _list(self, hub_id: str, revision: str) -> Listing:
        try:
            info = self._api.model_info(hub_id, revision=revision or None, files_metadata=True, timeout=ASK_S)
            commit = info.sha or revision
            files: dict[str, tuple[int, str]] = {}
            for sibling in info.siblings or ():
                digest = f"sha256:{sibling.lfs.sha256}" if sibling.lfs else f"git:{sibling.blob_id}"
                known = sibling.size is not None and (sibling.lfs or sibling.blob_id)
                size = sibling.size or 0
                # a mirror may tell names alone
                files[sibling.rfilename] = (size, digest) if known else self._ask(hub_id, commit, sibling.rfilename)
            return Listing(commit, files)
        except (HfHubHTTPError, HFValidationError) as error:
            raise _refusal(error, hub_id, self.network) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MarigoldError(
                "network",
                f"{self.network.endpoint} does not answer like a model hub: check the endpoint, and whether this "
                "network wants you to log in first.",
                details=f"{type(error).__name__}: {error}",
            ) from error

    def _ask(self, hub_id: str, commit: str, name: str) -> tuple[int, str]:
        """Size and digest of one file."""
        endpoint = self.network.endpoint
        url = hf_hub_url(hub_id, name, revision=commit, endpoint=endpoint)
        found = get_hf_file_metadata(url, token=self.network.token or False, timeout=ASK_S, endpoint=endpoint)
        etag = found.etag or ""
        if found.size is None or len(etag) not in DIGEST_OF_LENGTH:
            raise ValueError(f"no hash of {name}")
        return found.size, f"{DIGEST_OF_LENGTH[len(etag)]}:{etag}"


def needs_token(hub_id: str, network: Network, details: str) -> MarigoldError:
    """The sentence for a repository that is not open to everybody, or a token that is not good."""
    if network.token:
        message = (
            f"{network.endpoint} does not open {hub_id} to your access token: accept its terms there, or renew it."
        )
    else:
        message = (
            f"{network.endpoint} opens {hub_id} only to those it knows: accept its terms there, then save an access "
            "token (preferences, or HF_TOKEN)."
        )
    return MarigoldError("network", message, details=details)


def _refusal(error: HfHubHTTPError | HFValidationError, hub_id: str, network: Network) -> Exception:
    """What the hub's refusal means: one sentence, or the passing fault that it is."""
    details = without_secrets(str(error), network)
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if isinstance(error, HfHubHTTPError) and is_passing(status):
        return asked_to_wait(status, error.response.headers)
    if isinstance(error, GatedRepoError) or status in (401, 403):
        return needs_token(hub_id, network, details)
    if isinstance(error, RevisionNotFoundError):
        message = f"{network.endpoint} has no such revision of {hub_id}: update this extension, or check the endpoint."
    elif isinstance(error, RepositoryNotFoundError) or status == 404:
        message = f"{network.endpoint} has no {hub_id}: check the endpoint."
    else:
        message = f"{network.endpoint} does not answer for {hub_id} (status {status}): check the endpoint."
    return MarigoldError("network", message, details=details)
