"""hce-citus: an electronic health record database on PostgreSQL and Citus."""

__version__ = "0.1.0"
