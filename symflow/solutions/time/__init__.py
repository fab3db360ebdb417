"""Times that are integrals, t = ∫ …, their inverses, and changes of time."""
