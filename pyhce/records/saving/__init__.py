"""`save`, `save_many` and `delete` for applications."""
