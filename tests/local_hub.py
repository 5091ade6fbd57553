"""A model hub on this computer that speaks the real one's protocol, with faults that are switched on one by one.

What huggingface_hub and browsers ask the hub for: `/api/models/ID[/revision/REV]?blobs=true` (commit, files, sizes,
hashes) and `/ID/resolve/REV/PATH` (ETag, X-Repo-Commit; large files redirect to a second server, as to the hub's CDN,
with X-Linked-ETag and X-Linked-Size). Ranges work. Every byte of a file that leaves is counted.

`python -m tests.local_hub FILE` serves the published models' layouts and writes the endpoint's address into FILE.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import marigold_blender
from marigold_blender.models.catalogue import CATALOGUE
from tests.local_hub_answers import CdnHandler, HubHandler, Server

DEMO = Path(marigold_blender.__file__).parent / "models" / "demo"
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
SCHEDULER = "scheduler/scheduler_config.json"


@dataclass
class Faults:
    """What goes wrong; everything is off at first. `path` limits the transfer faults to files whose path ends so.

    Attributes:
        drop_after: bytes of a body after which the connection is cut.
        drops: how many bodies are cut.
        ignore_range: answer 200 with everything to a Range.
        refuse_range: answer 416 to a Range.
        wrong_range: answer 206 from the start, whatever was asked for.
        wrong_bytes: how many bodies have a byte changed.
        stall_after: bytes after which a body stops for good.
        drip_s: pause after every 64 bytes.
        status: answer of the resolver, for `status_times` requests; api_status: of the API.
        cdn_status: answer of the CDN, for `cdn_status_times` requests.
        retry_after: header sent along with these.
        redirect_loop: the resolver redirects to itself.
        gated: only requests with this token are answered.
        not_a_hub: the API answers with a web page.
        names_alone: the API leaves out sizes and hashes, as some mirrors do.
        compressed: bodies of the resolver come gzipped although nobody asked.
        slow_api_s: pause before the API answers.
        piece_s: pause after every 64 KiB, so that a download lasts.
    """

    path: str = ""
    drop_after: int = 0
    drops: int = 1 << 30
    ignore_range: bool = False
    refuse_range: bool = False
    wrong_range: bool = False
    wrong_bytes: int = 0
    stall_after: int = 0
    drip_s: float = 0.0
    status: int = 0
    status_times: int = 1 << 30
    api_status: int = 0
    api_status_times: int = 1 << 30
    cdn_status: int = 0
    cdn_status_times: int = 1 << 30
    retry_after: str = ""
    redirect_loop: bool = False
    gated: str = ""
    not_a_hub: bool = False
    names_alone: bool = False
    compressed: bool = False
    slow_api_s: float = 0.0
    piece_s: float = 0.0


@dataclass
class Repository:
    """Files of one commit, by path."""

    commit: str
    files: dict[str, bytes]


@dataclass
class LocalHub:
    """Two servers, the hub and its CDN, for as long as the `with` block lasts.

    Attributes:
        faults: what goes wrong from now on.
        sent: bytes of file bodies that left, by path.
        requests: every request as (server, method, path, headers).
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    sent: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list)

    def __enter__(self) -> LocalHub:
        self._servers = [Server(("127.0.0.1", 0), handler, self) for handler in (HubHandler, CdnHandler)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def cdn(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def asked(self, server: str) -> list[dict[str, str]]:
        """The headers of the GET requests that one of the servers had: `hub` or `cdn`."""
        return [headers for name, method, _, headers in self.requests if (name, method) == (server, "GET")]


def published_models() -> dict[str, Repository]:
    """The demo checkpoint in the layouts of the published models: duplicates, pickles, precisions and all."""
    return {model.hub_id: _published(model.name) for model in CATALOGUE.values() if model.hub_id}


def _published(name: str) -> Repository:
    files = {
        path.relative_to(DEMO).as_posix(): path.read_bytes()
        for path in DEMO.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    for part, stem in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        weights = files.pop(f"{part}/{stem}.safetensors")
        if part == "unet":
            weights = marked(weights, name)  # each model has its own; VAE and text encoder are the same
        pickles_only = name == "marigold-depth-lcm-v1-0" and part == "vae"
        if not pickles_only:
            files[f"{part}/{stem}.safetensors"] = marked(weights, f"{name} in full precision")
        if not pickles_only and name != "marigold-e2e-ft-depth":
            files[f"{part}/{stem}.fp16.safetensors"] = weights
        files[f"{part}/{stem}.bin"] = files[f"{part}/{stem}.fp16.bin"] = b"\x80\x04never load this" * 4096
    index, scheduler = json.loads(files["model_index.json"]), json.loads(files[SCHEDULER])
    if name == "marigold-depth-lcm-v1-0":
        index |= {"_class_name": "MarigoldPipeline", "scheduler": ["diffusers", "LCMScheduler"]}
        index.pop("default_denoising_steps")
        scheduler = {
            **{key: scheduler[key] for key in ("beta_end", "beta_schedule", "beta_start", "num_train_timesteps")},
            "_class_name": "LCMScheduler",
            "original_inference_steps": 50,
            "prediction_type": "v_prediction",
            "set_alpha_to_one": True,
            "steps_offset": 0,
            "timestep_spacing": "leading",
        }
    elif name != "marigold-depth-v1-1":
        index |= {"default_denoising_steps": 10}
        scheduler |= {"steps_offset": 1}
        del scheduler["timestep_spacing"], scheduler["rescale_betas_zero_snr"]
    files |= {
        "model_index.json": json.dumps(index).encode(),
        SCHEDULER: json.dumps(scheduler).encode(),
        "README.md": b"# A model\n",
        "LICENSE.txt": b"The licence's text.\n",
        "pipeline.py": b"raise SystemExit('code of a repository was run')\n",
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "tokenizer/script.py": b"raise SystemExit('code of a repository was run')\n",
    }
    commit = CATALOGUE[name].revision or hashlib.sha1(name.encode()).hexdigest()
    return Repository(commit, files)


def marked(safetensors: bytes, word: str) -> bytes:
    """The same tensors with other bytes: a word in the file's metadata."""
    (length,) = struct.unpack("<Q", safetensors[:8])
    header = json.loads(safetensors[8 : 8 + length])
    header["__metadata__"] = {**header.get("__metadata__", {}), "mark": word}
    table = json.dumps(header).encode()
    return struct.pack("<Q", len(table)) + table + safetensors[8 + length :]


if __name__ == "__main__":
    with LocalHub(published_models(), Faults(piece_s=float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)) as serving:
        Path(sys.argv[1]).write_text(serving.endpoint)
        threading.Event().wait()
