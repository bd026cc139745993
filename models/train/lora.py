"""LoRA's linear map as one function: PEFT's own does the same in many small steps, each a pass over memory.

`y = x W^T + s (x A^T) B^T`; the gradients are written out. It takes PEFT's place where there is no dropout.
"""

from __future__ import annotations

import torch
from peft.tuners.lora import Linear

#: PEFT's name of an adapter that was not named.
NAME = "default"


class Product(torch.autograd.Function):
    """`x` [n, in], `weight` [out, in] (not trained), `down` [r, in], `up` [out, r] -> [n, out]."""

    @staticmethod
    def forward(context, x, weight, down, up, scale):
        low = x @ down.t()
        y = x @ weight.t()
        y.addmm_(low, up.t(), alpha=scale)
        context.save_for_backward(x, weight, down, up, low)
        context.scale = scale
        return y

    @staticmethod
    def backward(context, dy):
        x, weight, down, up, low = context.saved_tensors
        scale = context.scale
        dlow = dy @ up
        dlow.mul_(scale)
        dx = None
        if context.needs_input_grad[0]:
            dx = dy @ weight
            dx.addmm_(dlow, down)
        return dx, None, dlow.t() @ x, (dy.t() @ low).mul_(scale), None


def forward(self: Linear, x: torch.Tensor, *_, **__) -> torch.Tensor:
    if self.disable_adapters:
        return self.base_layer(x)
    flat = x.reshape(-1, x.shape[-1])
    down, up = self.lora_A[NAME].weight, self.lora_B[NAME].weight
    y = Product.apply(flat, self.base_layer.weight, down, up, self.scaling[NAME])
    return y.reshape(*x.shape[:-1], -1)


def use(model) -> None:
    """Lets the adapter of `model` compute in this way, where it can."""
    for module in model.modules():
        if isinstance(module, Linear) and fits(module):
            module.forward = forward.__get__(module)


def fits(module: Linear) -> bool:
    plain = list(module.lora_A) == [NAME] and not any(module.use_dora.values())
    dropout = module.lora_dropout[NAME]
    return plain and module.base_layer.bias is None and not (isinstance(dropout, torch.nn.Dropout) and dropout.p)
