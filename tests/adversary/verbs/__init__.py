"""One loop per public verb: what symflow answers, against what is true."""

from adversary.verbs.bounds import companions, rates
from adversary.verbs.code import compiled
from adversary.verbs.data import data
from adversary.verbs.ends import implicit_bias, regime, saddle_to_saddle
from adversary.verbs.laws import conserved, count_conserved
from adversary.verbs.paths import descend, enclose, precise, simulate
from adversary.verbs.solving import solve
from adversary.verbs.verdicts import certify, validate

VERBS = {
    "data": data,
    "solve": solve,
    "implicit_bias": implicit_bias,
    "rates": rates,
    "companions": companions,
    "conserved": conserved,
    "count_conserved": count_conserved,
    "simulate": simulate,
    "precise": precise,
    "enclose": enclose,
    "certify": certify,
    "validate": validate,
    "compile": compiled,
    "regime": regime,
    "saddle_to_saddle": saddle_to_saddle,
    "descend": descend,
}
