"""Checks that the author of a plugin runs against a part; the project's own parts go through them as well.

```python
@pytest.mark.parametrize("check", backbone_checks(MyBackbone()), ids=str)
def test_backbone(check):
    check()
```

pytest is not needed: `report(backbone_checks(MyBackbone()))` runs the checks and prints what was found.
"""

from mtl_core.testing.checks import Check, Checks, LeftOut, report
from mtl_core.testing.suites import (
    architecture_checks,
    auxiliary_checks,
    backbone_checks,
    class_weights_checks,
    encoder_checks,
    head_checks,
    loader_checks,
    loss_checks,
    loss_mask_checks,
    metric_checks,
    optimizer_checks,
    sampling_checks,
    schedule_checks,
    spec_checks,
    splitter_checks,
    task_kind_checks,
    tracker_checks,
    weighting_checks,
)

__all__ = [
    "Check",
    "Checks",
    "LeftOut",
    "architecture_checks",
    "auxiliary_checks",
    "backbone_checks",
    "class_weights_checks",
    "encoder_checks",
    "head_checks",
    "loader_checks",
    "loss_checks",
    "loss_mask_checks",
    "metric_checks",
    "optimizer_checks",
    "report",
    "sampling_checks",
    "schedule_checks",
    "spec_checks",
    "splitter_checks",
    "task_kind_checks",
    "tracker_checks",
    "weighting_checks",
]
