"""What can be proved of a spec before anything is applied: rules with stable codes, and what they share."""
