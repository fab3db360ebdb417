"""Data: samples, their moments, and three small real data sets."""

from symflow.data.bundled import load_dataset as load_dataset
from symflow.data.dataset import Dataset as Dataset
from symflow.data.measurements import Measurements as Measurements
from symflow.data.moments import Moments as Moments, whitened as whitened
