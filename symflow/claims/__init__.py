"""What symflow asserts: claims, their conditions, and the papers behind them."""

from symflow.claims.bibliography import Reference as Reference
from symflow.claims.claim import (
    Bound as Bound,
    Claim as Claim,
    Path as Path,
    Refusal as Refusal,
    Status as Status,
    relative_size as relative_size,
)
from symflow.claims.finding import Finding as Finding
from symflow.claims.hypothesis import (
    TOLERANCE as TOLERANCE,
    Hypothesis as Hypothesis,
    all_hold as all_hold,
    positive as positive,
    strictly as strictly,
    structural as structural,
    vanishing as vanishing,
)
from symflow.claims.theorem import (
    Identity as Identity,
    Theorem as Theorem,
    check as check,
    standing as standing,
)
