"""The data steps of migrations: they change stored rows as a later schema requires."""
