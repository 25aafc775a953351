"""Microsoft's OpenAPI files judge what the SDKs and the sandbox say to each other."""
