"""Initialization rules: where the flow starts."""

from symflow.inits.balanced import (
    BalancedInit as BalancedInit,
    balanced_init as balanced_init,
)
from symflow.inits.gaussian import (
    GaussianInit as GaussianInit,
    gaussian_init as gaussian_init,
)
from symflow.inits.given import GivenInit as GivenInit, as_init as as_init
from symflow.inits.init import Init as Init
from symflow.inits.lambda_balanced import (
    LambdaBalancedInit as LambdaBalancedInit,
    lambda_balanced_init as lambda_balanced_init,
)
from symflow.inits.orthogonal import (
    OrthogonalInit as OrthogonalInit,
    orthogonal_init as orthogonal_init,
)
from symflow.inits.rank_one import (
    RankOneInit as RankOneInit,
    rank_one_init as rank_one_init,
)
from symflow.inits.singular import (
    SingularFrames as SingularFrames,
    singular_frames as singular_frames,
)
from symflow.inits.spectral import (
    SpectralInit as SpectralInit,
    spectral_init as spectral_init,
)
