"""The rules of R4 that a resource of the right shape may still break: one module for each kind of rule."""
