"""The operator: a `VideoGeneration` becomes one stored video, paid for once."""

__version__ = "0.1.0"
