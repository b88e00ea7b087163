"""Points given to a cause become money; what was given, and what was paid on."""
