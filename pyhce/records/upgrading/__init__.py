"""The data steps of migrations: stored rows become what a later schema says of them."""
