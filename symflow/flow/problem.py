"""A flow bound to data and a start: everything an integration needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import sympy

from symflow.algebra.arrays import (
    Array,
    centred,
    has_sets,
    map_entries,
    refuse_sets,
    to_float_array,
    to_mpf_array,
)
from symflow.algebra.entries import at_sizes
from symflow.algebra.numbers import as_fraction, context_of
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import solve_widths
from symflow.errors import InvalidArgument, expect
from symflow.flow.given import HasMoments
from symflow.flow.gradient_descent import flow_expected
from symflow.flow.gradient_flow import GradientFlow
from symflow.flow.heavy_ball import HeavyBall
from symflow.flow.layer_order import in_given_order, in_layer_order, layered
from symflow.flow.phase import PhaseFlow, phase_of
from symflow.inits import GivenInit, Init, as_init
from symflow.inits.given import RoundedInit
from symflow.networks import AbstractNetwork
from symflow.networks.groups import Group, abelian_group

#: Digits in which conditions are checked where the numbers are not rational.
CHECK_DIGITS, GUARD_DIGITS = 30, 10

#: Multiplications beyond which a condition is left as measured in float64.
MOST_PRODUCTS = 200_000

#: Width up to which moments are formed exactly to check a condition.
FINE_SIZE = 40

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Problem:
    """The initial value problem θ̇ = −∇ℒ(θ), θ(0) given.

    Made by `bind`.
    """

    flow: GradientFlow  #: The flow as the user gave it.
    widths: tuple[int, ...]  #: Its widths as integers.
    weights: tuple[Array, ...]  #: Where the flow starts: float64, exact, or mpf.
    data: dict[str, Array]  #: The array of every data symbol, by name.
    #: What it was bound from, to bind it again at another precision.
    given: Given | None = None
    #: The model whose order of weights the answers have; that of the flow by default.
    asked: AbstractNetwork | None = None

    @property
    def arguments(self) -> tuple[Array, ...]:
        """The data arrays in kernel order."""
        return tuple(self.data[symbol.name] for symbol in self.flow.data)

    @cached_property
    def exact_arguments(self) -> tuple[Array, ...]:
        """The data arrays for many digits: moments of the data as exact numbers."""
        if self.source is None:
            return self.arguments
        numbers = getattr(self.source, "exactly", self.source)
        arrays = self.flow.loss.arrays(numbers)
        return tuple(arrays[symbol.name] for symbol in self.flow.data)

    @cached_property
    def floats(self) -> Problem:
        """The same problem rounded to float64."""
        return self.mapped(to_float_array)

    def mapped(self, convert: Callable[[Array], Array]) -> Problem:
        """Return the same problem with all of its arrays converted."""
        weights = tuple(map(convert, self.weights))
        data = {name: convert(array) for name, array in self.data.items()}
        return replace(self, weights=weights, data=data)

    @cached_property
    def centre(self) -> Problem:
        """The problem with the middle of every set among its numbers; else itself."""
        if not self.is_set:
            return self
        return replace(self.mapped(centred), given=None)

    @property
    def is_set(self) -> bool:
        """Whether an entry of start or data stands for many numbers."""
        return any(map(has_sets, (*self.weights, *self.data.values())))

    @cached_property
    def at_rest(self) -> Problem:
        """The problem of the gradient flow: without the velocities of a heavy ball."""
        flow = self.flow.at_rest
        if flow is self.flow:
            return self
        weights = self.weights[: len(flow.state)]
        return replace(self, flow=flow, weights=weights, given=None)

    @property
    def source(self) -> Any:
        """The dataset or the moments that the arrays were made of, or None."""
        return None if self.given is None else self.given.data

    @cached_property
    def layered(self) -> Problem:
        """The problem with its weights first layer first."""
        if self.flow.network.product is None:
            return self
        flow, _ = layered(self.flow)
        weights = in_layer_order(self.weights, self.flow.network)
        given = self.given
        if given is not None:
            _, init = layered(self.flow, given.init)
            given = Given(given.data, init, given.rng)
        return Problem(flow, self.widths, weights, self.data, given)

    def as_asked(self, layers: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the weights of all layers in the order of the model asked about."""
        return layers if self.asked is None else in_given_order(layers, self.asked)

    def started_at(self, weights: tuple[Array, ...]) -> Problem:
        """Return the problem with another start, which then counts as given."""
        given = self.given
        if given is not None:
            given = Given(given.data, GivenInit(weights))
        return replace(self, weights=weights, given=given)

    def at(self, digits: int) -> Problem:
        """Return the problem with a start that is correct to `digits` digits."""
        if self.given is None:
            return self
        drawn = self.given.drawn
        if digits not in drawn:
            data, init, rng = self.given.data, self.given.init, self.given.rng
            drawn[digits] = bind_moving(self.flow, data, init, rng=rng, digits=digits)
        return drawn[digits]

    @cached_property
    def rational(self) -> Problem | None:
        """The problem in fractions; None where a number is drawn or irrational.

        A float is the fraction that it is.
        """
        weights = self.given_weights
        if weights is None:
            return None
        # many digits of large data take minutes
        fine = self if self.is_large else self.at(CHECK_DIGITS)
        arrays = [*weights, *fine.data.values()]
        if any(as_fraction(entry) is None for a in arrays for entry in a.flat):
            return None
        given = Problem(self.flow, self.widths, weights, fine.data)
        return given.mapped(partial(map_entries, as_fraction))

    @cached_property
    def sharp(self) -> Problem:
        """The problem as its numbers were given: in fractions where all are rational.

        What a rule draws is the fraction of `CHECK_DIGITS` digits that it draws: data
        stay exact beside it.  Where a number is irrational, all are mpf.
        """
        if self.rational is not None:
            return self.rational
        fine = self.at(CHECK_DIGITS)
        arrays = [*fine.weights, *fine.data.values()]
        if all(as_fraction(entry) is not None for a in arrays for entry in a.flat):
            return replace(fine.mapped(partial(map_entries, as_fraction)), given=None)
        context = context_of(CHECK_DIGITS + GUARD_DIGITS)
        lifted = fine.mapped(partial(to_mpf_array, context=context))
        return replace(lifted, given=None)

    @cached_property
    def given_exactly(self) -> bool:
        """Whether no number of data or start was given as a float."""
        if self.given is not None and isinstance(self.given.init, RoundedInit):
            return False
        arrays = (*self.data.values(), *(self.given_weights or ()))
        return all(array.dtype == object for array in arrays)

    @property
    def given_weights(self) -> tuple[Array, ...] | None:
        """The start as it was given; None where a rule draws it."""
        if self.given is None:
            return self.weights
        rule = self.given.init
        return rule.weights if isinstance(rule, GivenInit) else None

    @property
    def is_exact(self) -> bool:
        """Whether no number is a float or drawn: then a condition holds or does not."""
        return self.given_exactly and self.given_weights is not None

    @property
    def is_large(self) -> bool:
        """Whether fractions, or a draw of many digits, would take minutes."""
        return self.size * max(self.widths) > MOST_PRODUCTS

    @property
    def is_small(self) -> bool:
        """Whether `sharp` takes less than about a second."""
        return max(self.widths) <= FINE_SIZE and not self.is_large

    @property
    def group(self) -> Group:
        """The group over which a network of full filters convolves."""
        group = abelian_group(self.flow.network) or ()
        return self.widths[:1] if len(group) < 2 else group

    @property
    def size(self) -> int:
        """Number of scalar weights."""
        return sum(weight.size for weight in self.weights)

    def remembered(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """Return what `make` made when it was first asked for under this key.

        The key holds all that it depends on beside the problem.
        """
        if key not in self._made:
            self._made[key] = make()
        found: Found = self._made[key]
        return found

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}


@dataclass(frozen=True, eq=False)
class Given:
    """What a problem was bound from, and what has been drawn of it so far."""

    data: HasMoments  #: As given.
    init: Init  #: The rule.
    rng: Any = None  #: Overrides the random state of the rule.
    #: By number of digits.
    drawn: dict[int, Problem] = field(default_factory=dict, repr=False)


def bind(
    flow: GradientFlow,
    data: Any,
    init: Any,
    *,
    rng: Any = None,
    digits: int | None = None,
    exact: bool = False,
) -> Problem:
    """Bind a flow to data and to an initialization, with all shapes checked.

    Symbolic widths take their values from data and weights; `rng` overrides the random
    state of a rule. With `digits`, the start is drawn correct to so many instead of in
    float64, and moments are those of the given numbers. With `exact`, a start that is
    given by weights stays as it was given; it and the data may then have sets as
    entries.
    """
    if not isinstance(flow, GradientFlow):
        raise InvalidArgument(flow_expected("flow", flow))
    pair = isinstance(data, tuple | list)
    needs = "a Dataset or Moments" + ", as Dataset(X, Y)" * pair
    expect(data, "moments", "data", needs)
    if flow.parameters:
        first = flow.parameters[0]
        kind = "weight decay" if first in flow.loss.l2.free_symbols else "parameter"
        msg = (
            f"flow: the {kind} {first} is symbolic, and an integration needs its "
            "value. Give for example SquaredLoss(l2=0.1)"
        )
        raise InvalidArgument(msg)
    if flow.network.unknown:
        msg = (
            f"flow: {flow.network.unknown[0]} is a constant of the model without a "
            "value, and an integration needs its numbers. Give Model(…, constants="
            f"{{{flow.network.unknown[0]}: array}})"
        )
        raise InvalidArgument(msg)
    numbers = data if digits is None else getattr(data, "exactly", data)
    arrays = flow.loss.arrays(numbers)
    ends = flow.network.widths[0], flow.network.widths[-1]
    declared = flow.loss.declared(data, *ends)
    declared += [
        (f"data: {symbol.name}", symbol.shape, arrays[symbol.name].shape)
        for symbol in flow.data
    ]
    rule = as_init(init)
    given_order = flow.network.product is None or isinstance(rule, GivenInit)
    drawn = flow.network if given_order else flow.network.product
    network = _Sized(drawn, solve_widths(declared))
    if exact and isinstance(rule, GivenInit):
        rule.check_network(network)
        weights = rule.weights
    else:
        refuse_sets(arrays.values())
        weights = rule.draw(network, numbers, rng, digits=digits)
    if not given_order:
        weights = in_given_order(weights, flow.network)
    given = Given(data, rule, rng)
    if isinstance(rng, np.random.Generator):
        # it gives its numbers once: what was drawn is the start from here on
        given = Given(data, GivenInit(weights))
    declared += _declare_weights(flow, weights)
    sizes = solve_widths(declared)
    widths = tuple(int(sizes.get(w) or w) for w in flow.network.widths)
    return Problem(flow, widths, tuple(weights), arrays, given)


def bind_moving(
    flow: Any, data: Any, init: Any, *, rng: Any = None, **how: Any
) -> Problem:
    """Bind a gradient flow, or a heavy ball, which starts from rest by default.

    The arguments are those of `bind`; velocities may follow the weights.  Of a heavy
    ball it is the problem of its `PhaseFlow`.  Raises also InvalidArgument if the
    friction is no number, or begins as c/t in motion, and ShapeMismatch if a velocity
    has not the shape of its weight.
    """
    if not isinstance(flow, HeavyBall | PhaseFlow):
        return bind(flow, data, init, rng=rng, **how)
    phase, rule = phase_of(flow), as_init(init)
    halves: tuple[Init, ...] = (rule,)
    if isinstance(rule, GivenInit) and len(rule.weights) == len(phase.state):
        half = len(rule.weights) // 2
        halves = GivenInit(rule.weights[:half]), GivenInit(rule.weights[half:])
    placed, *moved = (bind(phase.at_rest, data, h, rng=rng, **how) for h in halves)
    refuse_sets((*placed.weights, *placed.data.values()))
    still = tuple(0 * abs(weight) for weight in placed.weights)
    weights = (*placed.weights, *(moved[0].weights if moved else still))
    phase.check_start(weights)
    given = placed.given
    if given is not None and isinstance(given.init, GivenInit):
        kept = rule if moved else GivenInit((*given.init.weights, *still))
        given = Given(data, kept)
    return replace(placed, flow=phase, weights=weights, given=given)


def _declare_weights(flow: GradientFlow, weights: tuple[Array, ...]) -> list[Any]:
    if len(weights) != len(flow.state):
        msg = (
            f"init: the network has {len(flow.state)} weight matrices; got "
            f"{len(weights)} arrays"
        )
        raise InvalidArgument(msg)
    return [
        (f"init: {symbol.name}", symbol.shape, weight.shape)
        for symbol, weight in zip(flow.state, weights, strict=True)
    ]


class _Sized:
    """A network with those widths filled in that the data determine."""

    def __init__(self, network: Any, sizes: dict[sympy.Symbol, int]) -> None:
        self.widths = tuple(sizes.get(width, width) for width in network.widths)
        self.depth = network.depth
        self.parameters = tuple(at_sizes(p, sizes) for p in network.parameters)
