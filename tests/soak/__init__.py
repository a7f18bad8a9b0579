"""What takes long and is run when named: python tests/run.py soak."""
