"""The whole product: from files and a command line to a sandbox where exports run."""
