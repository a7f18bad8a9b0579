"""The chart on a real cluster, made by kind; a namespace for each scenario."""
