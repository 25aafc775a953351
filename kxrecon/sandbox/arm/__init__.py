"""Azure Resource Manager in the sandbox, written from Microsoft's OpenAPI files and REST pages.

``app.ArmApp`` routes; one module per resource provider answers. Every refusal has ARM's error envelope.
"""
