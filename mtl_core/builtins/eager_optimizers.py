"""torch's optimizers without their preparations for `torch.compile`.

To be compiled together with the step, `torch.optim` imports the compiler (`torch._dynamo`) when an optimizer is built,
and again in each step: 1.3 s and 70 MB in a process that compiles nothing. The training loop steps outside of compiled
code, so these optimizers run the same computation directly. A compiled network is unaffected.
"""

from inspect import unwrap
from typing import Any

import torch


class _EagerOptimizer(torch.optim.Optimizer):
    """Base class: the methods of `Optimizer` that import the compiler, without this import."""

    add_param_group: Any = unwrap(torch.optim.Optimizer.add_param_group)
    load_state_dict: Any = unwrap(torch.optim.Optimizer.load_state_dict)
    state_dict: Any = unwrap(torch.optim.Optimizer.state_dict)
    zero_grad: Any = unwrap(torch.optim.Optimizer.zero_grad)


class EagerAdam(_EagerOptimizer, torch.optim.Adam):
    """Adam, outside of compiled code."""

    step: Any = torch.no_grad()(unwrap(torch.optim.Adam.step))


class EagerAdamW(_EagerOptimizer, torch.optim.AdamW):
    """AdamW, outside of compiled code."""

    step: Any = torch.no_grad()(unwrap(torch.optim.AdamW.step))


class EagerSGD(_EagerOptimizer, torch.optim.SGD):
    """SGD, outside of compiled code."""

    step: Any = torch.no_grad()(unwrap(torch.optim.SGD.step))
