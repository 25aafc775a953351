"""Microsoft's own Kusto grammar judges every command and read."""
