"""Every public name is documented, with all of its parameters."""

from __future__ import annotations

import doctest
import inspect
import re
from enum import Enum

import symflow as sf

PUBLIC = [name for name in sf.__all__ if not name.startswith("__")]
OBJECTS = {name: getattr(sf, name) for name in PUBLIC}


def public_callables():
    """Yield public functions, classes and the public methods written for them."""
    for name, thing in OBJECTS.items():
        if inspect.isclass(thing) and thing.__module__.startswith("symflow"):
            if not issubclass(thing, (BaseException, Enum)):
                yield name, thing
            for method, function in vars(thing).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{method}", function
        elif inspect.isfunction(thing):
            yield name, thing


CALLABLES = dict(public_callables())


def parameters_of(thing):
    """Return the names that a caller can give, as a docstring writes them."""
    stars = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return [
        stars.get(parameter.kind, "") + parameter.name
        for parameter in inspect.signature(thing).parameters.values()
        if parameter.name != "self"
    ]


def documented_in(docstring):
    """Return the names before the colons of a numpydoc Parameters section."""
    _, _, section = docstring.partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w[\w ]*\n-{3,}", section)[0]
    heads = re.findall(r"^([*\w][*\w, ]*?) ?(?::|$)", section, re.M)
    return {name.strip() for head in heads for name in head.split(",")}


def test_the_contents_page_lists_what_it_exports():
    assert len(set(sf.__all__)) == len(sf.__all__)
    assert all(hasattr(sf, name) for name in sf.__all__)
    assert {"gradient_flow", "LinearNetwork", "SquaredLoss", "compile"} <= set(PUBLIC)


def test_public_names_have_a_docstring_of_one_sentence_first():
    def first(thing):
        return (inspect.getdoc(thing) or "").split("\n\n")[0].rstrip()

    assert not [
        name
        for name, thing in OBJECTS.items()
        # A constant such as sf.oo documents itself.
        if (callable(thing) or inspect.ismodule(thing))
        and not first(thing).endswith(".")
    ]


def test_every_parameter_is_documented():
    """Functions and classes in a Parameters section; methods there or in a sentence."""
    assert not [name for name in CALLABLES if not documentation(name)]
    assert not [
        f"{name}: {parameter}"
        for name, thing in CALLABLES.items()
        for parameter in parameters_of(thing)
        if not documents(name, parameter)
    ]


def documents(name, parameter):
    docstring = documentation(name)
    if "." in name:
        return re.search(rf"\b{parameter.strip('*')}\b", docstring) is not None
    return parameter in documented_in(docstring)


def documentation(name):
    """Return the docstring, for an overriding method with those that it inherits."""
    owner, _, method = name.partition(".")
    if not method:
        return inspect.getdoc(CALLABLES[name]) or ""
    layers = [vars(base).get(method) for base in OBJECTS[owner].__mro__]
    return "\n".join(layer.__doc__ or "" for layer in layers if layer is not None)


def test_no_parameter_is_documented_that_does_not_exist():
    assert not [
        f"{name}: {parameter}"
        for name, thing in CALLABLES.items()
        for parameter in documented_in(inspect.getdoc(thing) or "")
        if parameter not in parameters_of(thing)
    ]


#: Whose example shows no number, and why.
NO_NUMBER = {
    "Interrupted": "somebody has to press Ctrl-C",
    "NotInstalled": "a library has to be missing",
    "WorkerLost": "a process has to be killed",
    "numba_kernel": "needs a library that the tests do not install",
    "register": "changes the catalogues; notebook 08 is its example",
}


def test_every_public_docstring_has_an_example_with_a_visible_number():
    documented = OBJECTS | {
        f"plot.{name}": vars(sf.plot)[name] for name in sf.plot.__all__
    }
    silent = {name for name, thing in documented.items() if not shows_a_number(thing)}
    assert silent == set(NO_NUMBER)


def shows_a_number(thing):
    """Say whether an example of the thing's own docstring prints a digit."""
    examples = doctest.DocTestParser().get_examples(thing.__doc__ or "")
    return any(re.search(r"\d", example.want) for example in examples)


#: The field's word, and what it is not called here.
SYNONYMS = {
    "imbalance": ("unbalancedness", "balancedness", "gram_difference"),
    "end_to_end": ("end2end", "e2e", "product_matrix", "effective_weight"),
    "sigma_xx": ("cov_xx", "input_covariance", "c_xx", "sigma11", "corr_xx"),
    "sigma_yx": ("cov_yx", "cross_covariance", "c_yx", "sigma31", "sigma_xy"),
    "whitened": ("decorrelated", "sphered", "isotropic_input"),
    "init": ("initialisation", "initializer", "starter"),
    "mode": ("eigenmode", "singular_mode"),
    "escape_time": ("exit_time", "breakout_time"),
    "lazy": ("kernel_regime", "ntk_regime"),
    "hypentropy": ("hyperbolic_entropy", "hyperentropy"),
    "conserved": ("invariant", "first_integral", "constants_of_motion", "conserve"),
    "layer": ("l", "idx", "layer_index", "layer_idx"),
    "widths": ("dims", "layer_sizes", "hidden_sizes", "sizes"),
    "digits": ("dps", "prec", "ndigits", "precision"),
    "rng": ("seed", "random_state", "generator"),
    "l2": ("weight_decay", "wd", "ridge"),
    "gradient_flow": ("grad_flow", "gradient_descent_flow"),
}


def test_the_glossary_has_one_word_per_concept():
    names = {name.lower() for name in [*PUBLIC, *CALLABLES]}
    names |= {part for name in names for part in name.split(".")}
    for thing in CALLABLES.values():
        names |= {parameter.strip("*") for parameter in parameters_of(thing)}
    # Rooms are named after what they do: `precision` holds the high-precision routes.
    names -= {name for name in PUBLIC if inspect.ismodule(OBJECTS[name])}
    said = {word: names.intersection(others) for word, others in SYNONYMS.items()}
    assert not {word: others for word, others in said.items() if others}
