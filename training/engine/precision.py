"""The precision that convolutions run at, and whether a processor has it."""

from __future__ import annotations

import torch


def emulated(device: torch.device, precision: str) -> bool:
    """Return whether a processor only emulates products of this precision, many times slower."""
    if device.type != "cpu" or precision == "fp32":
        return False
    if precision == "fp16":
        return not torch.ops.mkldnn._is_mkldnn_fp16_supported()
    return not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which convolutions run at the chosen precision."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")
