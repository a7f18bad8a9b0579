"""Records: identity, load, export, one patient's record, corrections of documents."""
