"""Which precisions a processor has."""

from __future__ import annotations

import pytest
import torch

from training.engine.precision import emulated


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_precision_is_imitated_where_the_processor_says_so(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for has in (True, False):
        monkeypatch.setattr(
            torch.ops.mkldnn, f"_is_mkldnn_{precision}_supported", lambda has=has: has
        )
        assert emulated(torch.device("cpu"), precision) is not has
    assert not emulated(torch.device("cuda"), precision)
    assert not emulated(torch.device("cpu"), "fp32")
