"""Speed, by one command each: ratios within one run."""
