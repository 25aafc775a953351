"""Microsoft's JavaScript SDKs do and see on the sandbox what the Python SDKs do and see."""
