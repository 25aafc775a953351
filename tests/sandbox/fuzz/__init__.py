"""Whatever a client sends, the sandbox answers: with what was asked for, or with a refusal in the service's words."""
