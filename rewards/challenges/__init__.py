"""Goals over what members do: who takes part, what counts, which steps are reached, what is given."""
