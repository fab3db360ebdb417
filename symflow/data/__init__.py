"""Data: samples, their moments, and three small real data sets."""

from symflow.data.bundled import load_dataset
from symflow.data.dataset import Dataset
from symflow.data.measurements import Measurements
from symflow.data.moments import Moments, whitened

__all__ = ["Dataset", "Measurements", "Moments", "load_dataset", "whitened"]
