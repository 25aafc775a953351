"""What kql reads and writes, without the grammar's help."""
