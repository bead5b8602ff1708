"""Gradient aggregation with TorchJD: combine the tasks' gradients of the shared parameters into one."""

from mtl_core import WeightingSpec, hookimpl
from mtl_torchjd.balanced import IMTLG, AlignedMTL, FairGrad, NashMTL
from mtl_torchjd.cones import MGDA, CAGrad, DualProj, UPGrad
from mtl_torchjd.conflicts import ConFIG, GradDrop, GradVac, PCGrad
from mtl_torchjd.preferred import CRMOGM, PCD, ExcessMTL
from mtl_torchjd.simple import Constant, Krum, Mean, RandomGradient, Sum, TrimmedMean


@hookimpl
def mtl_weightings() -> list[type[WeightingSpec]]:
    return [
        AlignedMTL,
        CAGrad,
        ConFIG,
        Constant,
        DualProj,
        ExcessMTL,
        FairGrad,
        GradDrop,
        GradVac,
        IMTLG,
        Krum,
        MGDA,
        Mean,
        NashMTL,
        PCD,
        PCGrad,
        RandomGradient,
        CRMOGM,
        Sum,
        TrimmedMean,
        UPGrad,
    ]
