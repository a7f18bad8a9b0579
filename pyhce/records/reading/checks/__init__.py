"""Rules of R4 beyond the structure of a resource, a module for each kind of rule."""
