"""What people read: plans, drift, problems and outcomes → text or Markdown. Pure functions."""
