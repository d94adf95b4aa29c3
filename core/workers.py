"""Several processes that train one model: each takes its share of the streams.

Started by torchrun, on one machine or many. Every process knows the whole batch (it is a few
kilobytes) and computes on its own streams; the gradients are summed over all, divided by what
the whole batch counts. So the curve is that of one process, whatever their number.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor


class Workers:
    """One process among the others; alone where torchrun did not start it.

    Args:
        device: "cuda" or "cpu", which decides how they speak to each other.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = torch.device(device)
        if self.count == 1:
            return
        if device == "cuda":
            self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(self.device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device == "cuda" else "gloo")

    @property
    def first(self) -> bool:
        """Whether it is this one that writes files and tells how it goes."""
        return self.rank == 0

    @property
    def halves(self) -> bool:
        """Whether products in half precision are the faster ones: 1.7 times on such a CPU."""
        if self.device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported())
        if not hasattr(torch.cpu, "get_capabilities"):  # an older version cannot tell
            return False
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

    def share(self, streams: int) -> slice:
        """The streams that are this process's, of so many."""
        return slice(self.rank * streams // self.count, (self.rank + 1) * streams // self.count)

    def sum(self, tensors: Iterable[Tensor]) -> None:
        """Each tensor becomes the sum of those of all processes."""
        if self.count == 1:
            return
        parts = list(tensors)
        flat = torch.cat([part.reshape(-1) for part in parts])
        dist.all_reduce(flat)
        begin = 0
        for part in parts:
            part.copy_(flat[begin : begin + part.numel()].view_as(part))
            begin += part.numel()

    def whole(self, part: Tensor, axis: int, streams: int) -> Tensor:
        """All streams, of which `part` are this process's along `axis`."""
        if self.count == 1:
            return part
        shape = list(part.shape)
        shape[axis] = streams
        every = torch.zeros(shape, dtype=part.dtype, device=part.device)
        mine = self.share(streams)
        every.narrow(axis, mine.start, mine.stop - mine.start).copy_(part)
        dist.all_reduce(every)
        return every

    def agree(self, number: float) -> float:
        """What the first process says: clocks differ, and all must stop at the same stretch."""
        if self.count == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return float(told)
