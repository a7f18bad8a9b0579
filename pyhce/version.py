"""The release: also the chart's appVersion and the images' tag."""

__version__ = "0.1.0"
