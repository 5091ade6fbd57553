# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a checkpoint folder that stock diffusers loads as `MarigoldDepthPipeline`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from .diffusion import new_scheduler
from .unet import PROMPT_WIDTH

START, END = "<|startoftext|>", "<|endoftext|>"


def write_demo_folder(
    unet: UNet2DConditionModel, vae: AutoencoderKL, folder: Path, steps: int, resolution: int
) -> None:
    """Write a complete checkpoint in half precision, beside and renamed.

    Args:
        steps, resolution: the defaults that pipelines read from it.
    """
    beside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(beside, ignore_errors=True)
    for name, network in (("unet", unet), ("vae", vae)):
        half = type(network).from_config(network.config)
        half.load_state_dict(network.state_dict())
        half.half().save_pretrained(beside / name, safe_serialization=True)
    new_scheduler().save_pretrained(beside / "scheduler")
    silent_text_encoder().half().save_pretrained(beside / "text_encoder", safe_serialization=True)
    empty_tokenizer().save_pretrained(beside / "tokenizer")
    (beside / "model_index.json").write_text(json.dumps(model_index(steps, resolution), indent=2) + "\n")
    replace_folder(beside, folder)


def model_index(steps: int, resolution: int) -> dict[str, Any]:
    """What `model_index.json` says: the pipeline's class, its parts and its defaults."""
    return {
        "_class_name": "MarigoldDepthPipeline",
        "_diffusers_version": diffusers.__version__,
        "default_denoising_steps": steps,
        "default_processing_resolution": resolution,
        "prediction_type": "depth",
        "scale_invariant": True,
        "shift_invariant": True,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def replace_folder(new: Path, folder: Path) -> None:
    """Put a folder in another's place; what was there is removed last."""
    old = folder.with_name(f".{folder.name}.before")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def silent_text_encoder() -> CLIPTextModel:
    """A tiny text encoder whose output is zero: its last norm is."""
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=2,
        hidden_size=PROMPT_WIDTH,
        intermediate_size=37,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    encoder = CLIPTextModel(config)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if "final_layer_norm" in name:
                weight.zero_()
    return encoder


def empty_tokenizer() -> CLIPTokenizer:
    """A tokenizer that knows the two marks around a prompt and no words."""
    vocabulary = {START: 0, END: 1}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=END, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing((END, 1), (START, 0), add_prefix_space=False)
    return CLIPTokenizer(
        tokenizer_object=tokenizer, vocab=vocabulary, merges=[], bos_token=START, eos_token=END, pad_token=END,
        unk_token=END, model_max_length=77,
    )  # fmt: skip
