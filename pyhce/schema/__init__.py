"""The schema, declared once: the model, the declaration, and what is rendered from it."""
