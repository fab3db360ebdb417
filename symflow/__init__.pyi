"""The contents page: every public name, and the room it comes from."""

from sympy import oo as oo

from symflow import plot as plot
from symflow.algebra import (
    gradient as gradient,
)
from symflow.answers import (
    companions as companions,
)
from symflow.bias import (
    implicit_bias as implicit_bias,
)
from symflow.bias import (
    saddle_to_saddle as saddle_to_saddle,
)
from symflow.certificate import (
    write_checker as write_checker,
)
from symflow.citation import (
    cite as cite,
)
from symflow.claims import (
    Bound as Bound,
)
from symflow.claims import (
    Claim as Claim,
)
from symflow.claims import (
    Hypothesis as Hypothesis,
)
from symflow.claims import (
    Reference as Reference,
)
from symflow.claims import (
    Status as Status,
)
from symflow.claims import (
    Theorem as Theorem,
)
from symflow.claims.catalogue import (
    register as register,
)
from symflow.codegen import (
    BoundKernel as BoundKernel,
)
from symflow.codegen import (
    Kernel as Kernel,
)
from symflow.codegen import (
    Program as Program,
)
from symflow.codegen import (
    SolutionKernel as SolutionKernel,
)
from symflow.codegen import (
    compile as compile,
)
from symflow.codegen import (
    write_module as write_module,
)
from symflow.codegen.targets import (
    CKernel as CKernel,
)
from symflow.codegen.targets import (
    c_kernel as c_kernel,
)
from symflow.codegen.targets import (
    c_source as c_source,
)
from symflow.codegen.targets import (
    from_torch as from_torch,
)
from symflow.codegen.targets import (
    lambdify as lambdify,
)
from symflow.codegen.targets import (
    numba_kernel as numba_kernel,
)
from symflow.codegen.targets import (
    numba_source as numba_source,
)
from symflow.codegen.targets import (
    to_heyoka as to_heyoka,
)
from symflow.conservation import (
    PolynomialSearch as PolynomialSearch,
)
from symflow.conservation import (
    conserved as conserved,
)
from symflow.conservation import (
    count_conserved as count_conserved,
)
from symflow.convergence import (
    rates as rates,
)
from symflow.convergence import (
    regime as regime,
)
from symflow.data import (
    Dataset as Dataset,
)
from symflow.data import (
    Measurements as Measurements,
)
from symflow.data import (
    Moments as Moments,
)
from symflow.data import (
    load_dataset as load_dataset,
)
from symflow.data import (
    whitened as whitened,
)
from symflow.errors import (
    HypothesisFailed as HypothesisFailed,
)
from symflow.errors import (
    IntegrationFailed as IntegrationFailed,
)
from symflow.errors import (
    Interrupted as Interrupted,
)
from symflow.errors import (
    InvalidArgument as InvalidArgument,
)
from symflow.errors import (
    InvalidData as InvalidData,
)
from symflow.errors import (
    NoClosedForm as NoClosedForm,
)
from symflow.errors import (
    NotDifferentiable as NotDifferentiable,
)
from symflow.errors import (
    NotInstalled as NotInstalled,
)
from symflow.errors import (
    OutputError as OutputError,
)
from symflow.errors import (
    PrecisionLost as PrecisionLost,
)
from symflow.errors import (
    ShapeMismatch as ShapeMismatch,
)
from symflow.errors import (
    SymflowError as SymflowError,
)
from symflow.errors import (
    ValidationFailed as ValidationFailed,
)
from symflow.errors import (
    WorkerLost as WorkerLost,
)
from symflow.flow import (
    GradientDescent as GradientDescent,
)
from symflow.flow import (
    GradientFlow as GradientFlow,
)
from symflow.flow import (
    HeavyBall as HeavyBall,
)
from symflow.flow import (
    directional_flow as directional_flow,
)
from symflow.flow import (
    gradient_descent as gradient_descent,
)
from symflow.flow import (
    gradient_flow as gradient_flow,
)
from symflow.flow import (
    heavy_ball as heavy_ball,
)
from symflow.gallery import (
    atlas as atlas,
)
from symflow.inits import (
    Init as Init,
)
from symflow.inits import (
    balanced_init as balanced_init,
)
from symflow.inits import (
    gaussian_init as gaussian_init,
)
from symflow.inits import (
    lambda_balanced_init as lambda_balanced_init,
)
from symflow.inits import (
    orthogonal_init as orthogonal_init,
)
from symflow.inits import (
    rank_one_init as rank_one_init,
)
from symflow.inits import (
    spectral_init as spectral_init,
)
from symflow.io import (
    load as load,
)
from symflow.io import (
    save as save,
)
from symflow.losses import (
    CustomLoss as CustomLoss,
)
from symflow.losses import (
    ExponentialLoss as ExponentialLoss,
)
from symflow.losses import (
    LogisticLoss as LogisticLoss,
)
from symflow.losses import (
    Loss as Loss,
)
from symflow.losses import (
    MeasurementLoss as MeasurementLoss,
)
from symflow.losses import (
    SquaredLoss as SquaredLoss,
)
from symflow.networks import (
    Circulant as Circulant,
)
from symflow.networks import (
    ConvolutionalNetwork as ConvolutionalNetwork,
)
from symflow.networks import (
    Dense as Dense,
)
from symflow.networks import (
    Diagonal as Diagonal,
)
from symflow.networks import (
    DiagonalNetwork as DiagonalNetwork,
)
from symflow.networks import (
    HadamardDifference as HadamardDifference,
)
from symflow.networks import (
    LinearNetwork as LinearNetwork,
)
from symflow.networks import (
    Model as Model,
)
from symflow.networks import (
    Network as Network,
)
from symflow.networks import (
    Readout as Readout,
)
from symflow.networks import (
    SymmetricFactorization as SymmetricFactorization,
)
from symflow.networks import (
    TensorNetwork as TensorNetwork,
)
from symflow.networks import (
    orthogonal_decomposition as orthogonal_decomposition,
)
from symflow.precision import (
    Enclosure as Enclosure,
)
from symflow.precision import (
    Flint as Flint,
)
from symflow.precision import (
    Mpmath as Mpmath,
)
from symflow.precision import (
    enclose as enclose,
)
from symflow.precision import (
    precise as precise,
)
from symflow.simulation import (
    DOP853 as DOP853,
)
from symflow.simulation import (
    Ensemble as Ensemble,
)
from symflow.simulation import (
    Event as Event,
)
from symflow.simulation import (
    GaussLegendre as GaussLegendre,
)
from symflow.simulation import (
    Grid as Grid,
)
from symflow.simulation import (
    LossBelow as LossBelow,
)
from symflow.simulation import (
    ModeCrosses as ModeCrosses,
)
from symflow.simulation import (
    ProgressBar as ProgressBar,
)
from symflow.simulation import (
    Radau as Radau,
)
from symflow.simulation import (
    ScipyFlow as ScipyFlow,
)
from symflow.simulation import (
    Sweep as Sweep,
)
from symflow.simulation import (
    Taylor as Taylor,
)
from symflow.simulation import (
    descend as descend,
)
from symflow.simulation import (
    ensemble as ensemble,
)
from symflow.simulation import (
    simulate as simulate,
)
from symflow.simulation import (
    sweep as sweep,
)
from symflow.simulation import (
    sweep_grid as sweep_grid,
)
from symflow.simulation import (
    to_scipy as to_scipy,
)
from symflow.solutions import (
    Solution as Solution,
)
from symflow.solutions import (
    solve as solve,
)
from symflow.trajectory import (
    Trajectory as Trajectory,
)
from symflow.validation import (
    Certificate as Certificate,
)
from symflow.validation import (
    Report as Report,
)
from symflow.validation import (
    certify as certify,
)
from symflow.validation import (
    validate as validate,
)

__version__: str
__all__: list[str]
