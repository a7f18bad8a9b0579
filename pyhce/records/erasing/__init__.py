"""`pyhce erase`: a patient is removed from the database, with a receipt."""
