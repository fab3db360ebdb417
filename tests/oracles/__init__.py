"""Independent routes to the results of symflow: plain SymPy, plain NumPy, samples."""
