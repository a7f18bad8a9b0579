"""The chart in a real cluster, created by kind; each scenario has its own namespace."""
