"""What members can get for their points: what is shown to whom, what is missing, favourites, suggestions."""
