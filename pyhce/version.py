"""The version of the release. The chart's appVersion and the images' tag are the same."""

__version__ = "0.1.0"
