"""Gradient aggregation with TorchJD: combine the tasks' gradients of the shared parameters into one."""

from mtl_core import WeightingSpec, hookimpl
from mtl_torchjd.aligned_mtl import AlignedMTL
from mtl_torchjd.cagrad import CAGrad
from mtl_torchjd.conflict_free import ConFIG
from mtl_torchjd.constant import Constant
from mtl_torchjd.cr_mogm import CRMOGM
from mtl_torchjd.dualproj import DualProj
from mtl_torchjd.excess_mtl import ExcessMTL
from mtl_torchjd.fairgrad import FairGrad
from mtl_torchjd.graddrop import GradDrop
from mtl_torchjd.gradient_mean import GradientMean
from mtl_torchjd.gradient_sum import GradientSum
from mtl_torchjd.gradvac import GradVac
from mtl_torchjd.imtl_g import IMTLG
from mtl_torchjd.krum import Krum
from mtl_torchjd.mgda import MGDA
from mtl_torchjd.nash_mtl import NashMTL
from mtl_torchjd.pcd import PCD
from mtl_torchjd.pcgrad import PCGrad
from mtl_torchjd.random_gradient import RandomGradient
from mtl_torchjd.trimmed_mean import TrimmedMean
from mtl_torchjd.upgrad import UPGrad


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
        GradientMean,
        NashMTL,
        PCD,
        PCGrad,
        RandomGradient,
        CRMOGM,
        GradientSum,
        TrimmedMean,
        UPGrad,
    ]
