"""Initialization rules: where the flow starts."""

from symflow.inits.balanced import BalancedInit, balanced_init
from symflow.inits.gaussian import GaussianInit, gaussian_init
from symflow.inits.given import GivenInit, as_init
from symflow.inits.init import Init
from symflow.inits.lambda_balanced import LambdaBalancedInit, lambda_balanced_init
from symflow.inits.orthogonal import OrthogonalInit, orthogonal_init
from symflow.inits.rank_one import RankOneInit, rank_one_init
from symflow.inits.singular import SingularFrames, singular_frames
from symflow.inits.spectral import SpectralInit, spectral_init

__all__ = [
    "BalancedInit",
    "GaussianInit",
    "GivenInit",
    "Init",
    "LambdaBalancedInit",
    "OrthogonalInit",
    "RankOneInit",
    "SingularFrames",
    "SpectralInit",
    "as_init",
    "balanced_init",
    "gaussian_init",
    "lambda_balanced_init",
    "orthogonal_init",
    "rank_one_init",
    "singular_frames",
    "spectral_init",
]
