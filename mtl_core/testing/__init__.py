"""Conformance checks for plugin authors; the project's own parts pass the same checks.

```python
@pytest.mark.parametrize("check", backbone_checks(MyBackbone()), ids=str)
def test_backbone(check):
    check()
```

pytest is not required: `report(backbone_checks(MyBackbone()))` runs the checks and prints the results.
"""

from mtl_core.testing.checks import Check, Checks, SkippedCheck, report
from mtl_core.testing.suites import (
    architecture_checks,
    auxiliary_checks,
    backbone_checks,
    class_weights_checks,
    encoder_checks,
    fusion_checks,
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
    "SkippedCheck",
    "architecture_checks",
    "auxiliary_checks",
    "backbone_checks",
    "class_weights_checks",
    "encoder_checks",
    "fusion_checks",
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
