"""The contents page: every public name, and the room it comes from."""

from sympy import oo as oo

from symflow import plot as plot
from symflow.algebra import (
    gradient as gradient,
    interval as interval,
)
from symflow.analysis import (
    Analysis as Analysis,
    analyze as analyze,
    write_report as write_report,
)
from symflow.answers import (
    companions as companions,
)
from symflow.audits import (
    audit as audit,
)
from symflow.bias import (
    implicit_bias as implicit_bias,
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
    Claim as Claim,
    Finding as Finding,
    Hypothesis as Hypothesis,
    Identity as Identity,
    Reference as Reference,
    Status as Status,
    Theorem as Theorem,
)
from symflow.claims.catalogue import (
    register as register,
)
from symflow.codegen import (
    BoundKernel as BoundKernel,
    Kernel as Kernel,
    Program as Program,
    SolutionKernel as SolutionKernel,
    compile as compile,
    write_module as write_module,
)
from symflow.codegen.targets import (
    CKernel as CKernel,
    c_kernel as c_kernel,
    c_source as c_source,
    from_torch as from_torch,
    lambdify as lambdify,
    numba_kernel as numba_kernel,
    numba_source as numba_source,
    to_heyoka as to_heyoka,
)
from symflow.conservation import (
    PolynomialSearch as PolynomialSearch,
    conserved as conserved,
    count_conserved as count_conserved,
)
from symflow.convergence import (
    rates as rates,
    regime as regime,
)
from symflow.data import (
    Dataset as Dataset,
    Measurements as Measurements,
    Moments as Moments,
    load_dataset as load_dataset,
    whitened as whitened,
)
from symflow.errors import (
    HypothesisFailed as HypothesisFailed,
    IntegrationFailed as IntegrationFailed,
    Interrupted as Interrupted,
    InvalidArgument as InvalidArgument,
    InvalidData as InvalidData,
    NoClosedForm as NoClosedForm,
    NotDifferentiable as NotDifferentiable,
    NotInstalled as NotInstalled,
    OutputError as OutputError,
    PrecisionLost as PrecisionLost,
    ShapeMismatch as ShapeMismatch,
    SymflowError as SymflowError,
    UnknownName as UnknownName,
    ValidationFailed as ValidationFailed,
    WorkerLost as WorkerLost,
)
from symflow.flow import (
    GradientDescent as GradientDescent,
    GradientFlow as GradientFlow,
    HeavyBall as HeavyBall,
    directional_flow as directional_flow,
    gradient_descent as gradient_descent,
    gradient_flow as gradient_flow,
    heavy_ball as heavy_ball,
)
from symflow.flow.curriculum import Curriculum as Curriculum
from symflow.gallery import (
    atlas as atlas,
    width_experiment as width_experiment,
)
from symflow.inits import (
    Init as Init,
    balanced_init as balanced_init,
    gaussian_init as gaussian_init,
    lambda_balanced_init as lambda_balanced_init,
    orthogonal_init as orthogonal_init,
    rank_one_init as rank_one_init,
    spectral_init as spectral_init,
)
from symflow.io import (
    load as load,
    save as save,
)
from symflow.losses import (
    CustomLoss as CustomLoss,
    ExponentialLoss as ExponentialLoss,
    LogisticLoss as LogisticLoss,
    Loss as Loss,
    MeasurementLoss as MeasurementLoss,
    SquaredLoss as SquaredLoss,
)
from symflow.networks import (
    Circulant as Circulant,
    ConvolutionalNetwork as ConvolutionalNetwork,
    Dense as Dense,
    Diagonal as Diagonal,
    DiagonalNetwork as DiagonalNetwork,
    HadamardDifference as HadamardDifference,
    Layer as Layer,
    LinearNetwork as LinearNetwork,
    Model as Model,
    Network as Network,
    Readout as Readout,
    SymmetricFactorization as SymmetricFactorization,
    TensorNetwork as TensorNetwork,
    orthogonal_decomposition as orthogonal_decomposition,
)
from symflow.plot.explorer import (
    Explorer as Explorer,
    explore as explore,
)
from symflow.precision import (
    BasinMap as BasinMap,
    Enclosure as Enclosure,
    Flint as Flint,
    Mpmath as Mpmath,
    basin as basin,
    enclose as enclose,
    precise as precise,
)
from symflow.progress import (
    ProgressBar as ProgressBar,
)
from symflow.simulation import (
    DOP853 as DOP853,
    Ensemble as Ensemble,
    Event as Event,
    GaussLegendre as GaussLegendre,
    Grid as Grid,
    LossBelow as LossBelow,
    ModeCrosses as ModeCrosses,
    Radau as Radau,
    ScipyFlow as ScipyFlow,
    Simulator as Simulator,
    Sweep as Sweep,
    Taylor as Taylor,
    compile_simulator as compile_simulator,
    descend as descend,
    ensemble as ensemble,
    simulate as simulate,
    sweep as sweep,
    sweep_grid as sweep_grid,
    to_scipy as to_scipy,
)
from symflow.solutions import (
    Solution as Solution,
    solve as solve,
)
from symflow.trajectory import (
    Trajectory as Trajectory,
)
from symflow.validation import (
    Certificate as Certificate,
    CrossCheck as CrossCheck,
    Report as Report,
    certify as certify,
    claim as claim,
    crosscheck as crosscheck,
    validate as validate,
)

__version__: str
__all__: list[str]
